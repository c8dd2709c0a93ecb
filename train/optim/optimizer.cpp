#include "train/optim/sgd.h"

#include <torch/torch.h>

#include "core/error.h"

namespace likeness::train {

Sgd::Sgd(std::vector<Parameter> parameters, SgdOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  at::NoGradGuard no_grad;
  for (const Parameter& p : parameters_) buffers_.push_back(at::zeros_like(p.value));
}

void Sgd::step(double rate) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& p = parameters_[i];
    at::Tensor gradient = p.value.grad();
    LIKENESS_ASSERT(gradient.defined());
    // The fused kernel walks memory, not indices: all three must be laid out alike.
    if (gradient.strides() != p.value.strides()) gradient = at::empty_like(p.value).copy_(gradient);
    LIKENESS_ASSERT(buffers_[i].strides() == p.value.strides() && p.value.is_non_overlapping_and_dense());
    at::_fused_sgd_({p.value}, {gradient}, {buffers_[i]}, p.weight_decay, options_.momentum, rate * p.rate, 0.0,
                    options_.nesterov, false, false);
    p.value.mutable_grad().reset();
  }
}

at::Tensor clip_gradient_norm(const std::vector<at::Tensor>& parameters, double max_norm) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : parameters) gradients.push_back(p.grad());
  const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)), 2);
  if (max_norm > 0) at::_foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp_max(1));
  return norm;
}

}  // namespace likeness::train
