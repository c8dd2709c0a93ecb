// The epilogues of a tile of cosines as operators, where the tile lives: what the vectorised CPU passes do in their own
// loops (tiles_cpu.cpp), for the passes made of torch's products (tiles_torch.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include "train/head/others.h"

namespace likeness::train {

// cosines [n,B] f32 or f64, contiguous; top [B] of its type, sum [B] f64: carries the tile's logits into each sample's
// running maximum and sum of exponentials. Cosines below -2 are absent. bar [B], for OthersKind::kCurriculum only.
void tile_online(const at::Tensor& cosines, const Others<double>& others, const at::Tensor& bar, at::Tensor& top,
                 at::Tensor& sum);

// In place: factor[b] * exp(logit - top[b]) * d value / d cosine; 0 for absent classes. factor, top, bar [B] of its
// type.
void tile_gradient_(at::Tensor& cosines, const Others<double>& others, const at::Tensor& bar, const at::Tensor& top,
                    const at::Tensor& factor);

}  // namespace likeness::train
