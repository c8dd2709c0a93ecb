// The epilogues of a tile of cosines as operators, where the tile lives: what the vectorised CPU passes do in their own
// loops (tiles_cpu.cpp), for the passes made of torch's products (tiles_torch.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

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

// What an operator's arguments say, for its implementations.
template <class T>
Others<T> others_of(std::int64_t kind, double scale, double limit, double threshold) {
  return others_in<T>({static_cast<OthersKind>(kind), scale, limit, threshold});
}
template <class T>
const T* pointer(const std::optional<at::Tensor>& t) {
  return t.has_value() && t->defined() ? t->const_data_ptr<T>() : nullptr;
}

}  // namespace likeness::train
