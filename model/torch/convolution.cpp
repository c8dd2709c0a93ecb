#include "model/torch/convolution.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/torch/group_convolution.h"
#include "model/torch/kernel/kernels.h"
#include "model/torch/pointwise.h"

namespace likeness::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor rounded(const at::Tensor& weight, at::ScalarType type) { return weight.to(type).to(at::kFloat); }

// A bf16 or fp16 convolution by way of f32. A function of its own so that what is kept for the backward pass is as
// short.
class WidenedConvolution : public torch::autograd::Function<WidenedConvolution> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const ConvShape& s) {
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = s.stride;
    context->saved_data["padding"] = s.padding;
    context->saved_data["groups"] = s.groups;
    return at::conv2d(x.to(at::kFloat), rounded(weight, x.scalar_type()), {}, {s.stride, s.stride},
                      {s.padding, s.padding}, {1, 1}, s.groups)
        .to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::int64_t stride = context->saved_data["stride"].toInt(), padding = context->saved_data["padding"].toInt();
    const auto [dx, dw, db] = at::convolution_backward(
        gradients[0].to(at::kFloat), saved[0].to(at::kFloat), rounded(saved[1], saved[0].scalar_type()),
        at::OptionalIntArrayRef(), {stride, stride}, {padding, padding}, {1, 1}, /*transposed=*/false, {0, 0},
        context->saved_data["groups"].toInt(), {context->needs_input_grad(0), context->needs_input_grad(1), false});
    return {dx.defined() ? dx.to(saved[0].scalar_type()) : dx, dw, at::Tensor()};
  }
};

at::Tensor without_bias(const at::Tensor& x, const at::Tensor& weight, const ConvShape& s) {
  const bool bf16 = x.scalar_type() == at::kBFloat16;
  if (x.is_cpu() && x.scalar_type() == at::kHalf) return WidenedConvolution::apply(x, weight, s);
  if (x.is_cpu() && is_narrow_group(x, weight, s)) return group_convolution(x, weight, s);
  if (x.is_cpu() && !(bf16 && bf16_is_native())) {
    const bool pointwise =
        weight.size(2) == 1 && weight.size(3) == 1 && s.stride == 1 && s.padding == 0 && s.groups == 1;
    if (pointwise) return pointwise_convolution(x, weight);
    if (bf16) return WidenedConvolution::apply(x, weight, s);
  }
  return at::conv2d(x, weight.to(x.scalar_type()), {}, {s.stride, s.stride}, {s.padding, s.padding}, {1, 1}, s.groups);
}

}  // namespace

bool bf16_is_native() {
  static const bool native = multiplies_bf16();
  return native;
}

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape) {
  const at::Tensor y = without_bias(x, weight, shape);
  return bias.defined() ? y + bias.to(y.scalar_type()).view({1, -1, 1, 1}) : y;
}

}  // namespace likeness::model
