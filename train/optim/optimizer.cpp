#include "train/optim/optimizer.h"

#include <torch/torch.h>

#include <cmath>

#include "core/error.h"

namespace likeness::train {
namespace {

// `pattern` with * for any text, against all of `name`.
bool matches(const char* pattern, const char* name) {
  if (*pattern == '*') return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
  return *pattern == *name && (*name == '\0' || matches(pattern + 1, name + 1));
}

void expect_match(const std::string& pattern, const std::string& key,
                  const std::vector<std::pair<std::string, at::Tensor>>& named) {
  for (const auto& [name, tensor] : named)
    if (matches(pattern.c_str(), name.c_str())) return;
  fail_usage({.what = "the pattern matches no parameter",
              .where = key,
              .expected = "names as " + named.front().first + " or " + named.back().first + "; * stands for any text",
              .got = pattern});
}

}  // namespace

RowRule row_rule(const OptimizerOptions& o, double rate, double weight_decay, std::int64_t number) {
  const auto n = static_cast<double>(number + 1);
  return {.kind = o.kind,
          .rate = rate,
          .weight_decay = weight_decay,
          .momentum = o.momentum,
          .nesterov = o.nesterov,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .epsilon = o.epsilon,
          .correction1 = 1 - std::pow(o.beta1, n),
          .correction2 = 1 - std::pow(o.beta2, n),
          .number = number};
}

void fused_step(const RowRule& o, const at::Tensor& value, const at::Tensor& gradient,
                const std::vector<at::Tensor>& buffers) {
  if (o.kind == RowRuleKind::kSgd && o.momentum == 0)  // torch refuses a buffer then
    at::_fused_sgd_({value}, {gradient}, {}, o.weight_decay, 0.0, o.rate, 0.0, false, false, false);
  else if (o.kind == RowRuleKind::kSgd)
    at::_fused_sgd_({value}, {gradient}, {buffers[0]}, o.weight_decay, o.momentum, o.rate, 0.0, o.nesterov, false,
                    false);
  else
    at::_fused_adamw_({value}, {gradient}, {buffers[0]}, {buffers[1]}, {},
                      {at::full({}, static_cast<double>(o.number + 1), value.options().dtype(at::kFloat))}, o.rate,
                      o.beta1, o.beta2, o.weight_decay, o.epsilon, false, false);
}

Optimizer::Optimizer(std::vector<Parameter> parameters, OptimizerOptions options)
    : parameters_(std::move(parameters)), options_(options) {
  at::NoGradGuard no_grad;
  buffers_.resize(static_cast<std::size_t>(row_rule(options, 0, 0, 0).buffers()));
  for (auto& buffer : buffers_)
    for (const Parameter& p : parameters_) buffer.push_back(at::zeros_like(p.value));
}

void Optimizer::step(double rate, std::int64_t number) {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& p = parameters_[i];
    at::Tensor gradient = p.value.grad();
    LIKENESS_ASSERT(gradient.defined());
    // The fused kernels walk memory, not indices: all must be laid out alike.
    if (gradient.strides() != p.value.strides()) gradient = at::empty_like(p.value).copy_(gradient);
    LIKENESS_ASSERT(buffers_[0][i].strides() == p.value.strides() && p.value.is_non_overlapping_and_dense());
    std::vector<at::Tensor> buffers;
    for (const auto& buffer : buffers_) buffers.push_back(buffer[i]);
    fused_step(row_rule(options_, rate * p.rate, p.weight_decay, number), p.value, gradient, buffers);
    p.value.mutable_grad().reset();
  }
}

std::vector<Parameter> group_parameters(const std::vector<std::pair<std::string, at::Tensor>>& named,
                                        const ParameterGroups& o) {
  for (const auto& [pattern, factor] : o.rates) expect_match(pattern, "optimizer.rates", named);
  for (const std::string& pattern : o.freeze) expect_match(pattern, "optimizer.freeze", named);
  std::vector<Parameter> parameters;
  for (const auto& [name, tensor] : named) {
    bool frozen = false;
    for (const std::string& pattern : o.freeze) frozen = frozen || matches(pattern.c_str(), name.c_str());
    if (frozen) {
      at::Tensor(tensor).set_requires_grad(false);
      continue;
    }
    Parameter p{.name = name, .value = tensor};
    p.weight_decay = o.decay_everything || tensor.dim() > 1 ? o.weight_decay : 0;
    for (const auto& [pattern, factor] : o.rates)
      if (matches(pattern.c_str(), name.c_str())) p.rate = factor;
    parameters.push_back(p);
  }
  if (parameters.empty())
    fail_usage({.what = "nothing is left to train",
                .where = "optimizer.freeze",
                .expected = "at least one parameter that no pattern matches",
                .got = std::to_string(named.size()) + " frozen"});
  return parameters;
}

at::Tensor clip_gradient_norm(const std::vector<at::Tensor>& parameters, double max_norm) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : parameters) gradients.push_back(p.grad());
  const at::Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)), 2);
  if (max_norm > 0) at::_foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp_max(1));
  return norm;
}

void scale_gradients(const std::vector<at::Tensor>& parameters, double factor) {
  at::NoGradGuard no_grad;
  for (const at::Tensor& p : parameters) p.grad().mul_(factor);
}

void clip_gradient_value(const std::vector<at::Tensor>& parameters, double limit) {
  at::NoGradGuard no_grad;
  for (const at::Tensor& p : parameters) p.grad().clamp_(-limit, limit);
}

}  // namespace likeness::train
