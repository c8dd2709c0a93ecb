// Convolutions with one or two channels per group (MobileFaceNet's depthwise layers, and its second one: 64 groups of
// two).
#pragma once

#include <ATen/core/Tensor.h>

#include "model/torch/convolution.h"

namespace likeness::model {

// As many outputs as inputs, and one or two channels per group.
bool is_narrow_group(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape);

// As convolution(), without bias. Vectorised over channels with a compile-time number of channels per group; oneDNN
// runs groups of two about ten times slower than that (measured 42 + 80 ms against 4 + 12 for [32,128,56,56], AVX2, two
// threads).
at::Tensor group_convolution(const at::Tensor& x, const at::Tensor& weight, const ConvShape& shape);

}  // namespace likeness::model
