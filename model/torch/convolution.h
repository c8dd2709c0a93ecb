// Convolution over channels-last feature maps, by the fastest way for its shape.
#pragma once

#include <ATen/core/Tensor.h>

namespace likeness::model {

struct ConvShape {
  int stride = 1;
  int padding = 0;
  int groups = 1;
};

// x [B,Cin,H,W] channels-last, weight [Cout,Cin/groups,kh,kw], bias [Cout] or undefined -> [B,Cout,H',W'] channels-last.
// f32, f64, or x in bf16 with an f32 weight. Differentiable in x, weight and bias.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape);

}  // namespace likeness::model
