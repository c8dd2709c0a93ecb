// The epilogues of a tile of cosines as operators, where the tile lives: what the vectorised CPU passes do in their own
// loops (tiles_cpu.cpp), for the passes made of torch's products (tiles_torch.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>

#include "train/head/others.h"

namespace likeness::train {

// cosines [n,B] f32 or f64, contiguous; top [B] of its type, sum [B] f64: carries the tile's logits into each sample's
// running maximum and sum of exponentials. Cosines below -2 are absent. bar [B], for OthersKind::kCurriculum only.
void tile_online(const at::Tensor& cosines, const Others<double>& others, const at::Tensor& bar, at::Tensor& top,
                 at::Tensor& sum);

// Reduction::kBinary: adds the tile's softplus(logit) to each sample's sum, and their derivatives by a common bias,
// sigmoid(logit), to slope; both [B] f64.
void tile_binary(const at::Tensor& cosines, const Others<double>& others, const at::Tensor& bar, at::Tensor& sum,
                 at::Tensor& slope);

// In place: factor[b] * d value / d cosine, times exp(logit - top[b]) or, for kBinary, sigmoid(logit); 0 for absent
// classes. factor, top, bar [B] of its type; top undefined for kBinary.
void tile_gradient_(at::Tensor& cosines, const Others<double>& others, const at::Tensor& bar, const at::Tensor& top,
                    const at::Tensor& factor);

// The rule for the other classes as an operator's argument, and back, for its implementations.
using OthersNumbers = std::array<double, 8>;
inline OthersNumbers numbers_of(const Others<double>& o) {
  return {static_cast<double>(o.kind),
          o.scale,
          o.limit,
          o.threshold,
          static_cast<double>(o.power),
          static_cast<double>(o.detached),
          static_cast<double>(o.reduction),
          o.bias};
}
template <class T>
Others<T> others_of(at::ArrayRef<double> n) {
  return others_in<T>({static_cast<OthersKind>(n.at(0)), n.at(1), n.at(2), n.at(3), static_cast<int>(n.at(4)),
                       n.at(5) != 0, static_cast<Reduction>(n.at(6)), n.at(7)});
}
template <class T>
const T* pointer(const std::optional<at::Tensor>& t) {
  return t.has_value() && t->defined() ? t->const_data_ptr<T>() : nullptr;
}

}  // namespace likeness::train
