// 1x1 convolution: a matrix product over rows of channels.
#pragma once

#include <ATen/core/Tensor.h>

namespace likeness::model {

// x [B,Cin,H,W] channels-last, f32, f64 or bf16; weight [Cout,Cin,1,1] -> [B,Cout,H,W] channels-last. bf16 in the
// widened way that convolution.h describes.
at::Tensor pointwise_convolution(const at::Tensor& x, const at::Tensor& weight);

}  // namespace likeness::model
