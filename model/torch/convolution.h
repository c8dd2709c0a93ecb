// Convolution over channels-last feature maps, by the fastest way for its shape.
#pragma once

#include <ATen/core/Tensor.h>

namespace likeness::model {

struct ConvShape {
  int stride = 1;
  int padding = 0;
  int groups = 1;
};

// x [B,Cin,H,W] channels-last, weight [Cout,Cin/groups,kh,kw], bias [Cout] or undefined -> [B,Cout,H',W']
// channels-last. f32, f64, or x in bf16 with an f32 weight. Differentiable in x, weight and bias.
//
//   1x1, stride 1           one matrix product of the pixels' rows (no reordering of weights, and MKL's gradient of the
//   weight is
//                           1.2 times oneDNN's)
//   1 or 2 channels a group own kernels (group_convolution.h)
//   anything else           oneDNN
// bf16: products of factors rounded to bf16 are summed in f32, and the sum is rounded once. Where the CPU multiplies
// bf16, oneDNN does that; where it has not (bf16_is_native() is false), oneDNN's emulation is eight times slower than
// f32, so factors are widened, a few thousand pixels at a time, and multiplied in f32. The results differ by the order
// of summation only.
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape);

// Whether this CPU has AVX512-BF16 or AMX.
bool bf16_is_native();

}  // namespace likeness::model
