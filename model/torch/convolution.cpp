#include "model/torch/convolution.h"

#include <ATen/ATen.h>

namespace likeness::model {

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape) {
  const at::Tensor w = weight.to(x.scalar_type());
  return at::conv2d(x, w, bias.defined() ? bias.to(x.scalar_type()) : bias, {shape.stride, shape.stride},
                    {shape.padding, shape.padding}, {1, 1}, shape.groups);
}

}  // namespace likeness::model
