// Batch norm + PReLU for one value: the arithmetic that CPU kernels and device code share.
//   d = x - mean,  u = d * scale + beta  with scale = gamma / sqrt(var + eps),  z = u > 0 ? u : slope * u
#pragma once

#include "model/torch/kernel/storage.h"

namespace likeness::model::kernel {

template <class A>
LIKENESS_INLINE_HD A prelu(A u, A slope) {
  return u > 0 ? u : slope * u;
}
// The gradient with respect to u, given that with respect to z.
template <class A>
LIKENESS_INLINE_HD A prelu_gradient(A u, A dz, A slope) {
  return u > 0 ? dz : slope * dz;
}
// This value's part of the slope's gradient.
template <class A>
LIKENESS_INLINE_HD A slope_gradient(A u, A dz) {
  return u > 0 ? A(0) : u * dz;
}
// The gradient with respect to x. With batch statistics (Ioffe and Szegedy 2015): scale * (du - mean(du) - xhat *
// mean(du * xhat)), given here as b = mean(du) and c = mean(du * d) / (var + eps). With running statistics b = c = 0.
template <class A>
LIKENESS_INLINE_HD A norm_gradient(A d, A du, A scale, A b, A c) {
  return scale * (du - b - d * c);
}

}  // namespace likeness::model::kernel
