// The fixed margins of many samples at once, where the tensor lives.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "train/head/margin.h"

namespace likeness::train {

// cosine [B] f64 -> (value, d value / d cosine), each [B] f64: margin.h's apply_margin per element. Operator
// likeness::margin_points; the CUDA form is registered by liblikeness_cuda.so.
std::pair<at::Tensor, at::Tensor> margin_points(const at::Tensor& cosine, const Margin& margin);

}  // namespace likeness::train
