// The backbone's optimizer, torch's semantics, and gradient clipping. The class centres step by themselves, tile by
// tile (row_rule.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "train/optim/row_rule.h"

namespace likeness::train {

// One tensor to be trained. The name is what checkpoints and messages call it.
struct Parameter {
  std::string name = {};
  at::Tensor value = {};    // a leaf that requires a gradient
  double weight_decay = 0;  // kSgd: L2, added to the gradient; kAdamW: decoupled
  double rate = 1;          // factor on the learning rate of the step
};

// One step of `rule` on a whole tensor: value, gradient and the rule's buffers laid out alike. Fused: one pass over
// them.
void fused_step(const RowRule& rule, const at::Tensor& value, const at::Tensor& gradient,
                const std::vector<at::Tensor>& buffers);

// torch.optim.SGD (whose first buffer, the gradient itself, equals one that starts at zero) or torch.optim.AdamW.
class Optimizer {
 public:
  Optimizer(std::vector<Parameter> parameters, OptimizerOptions options);
  // Every parameter must hold a gradient. Frees the gradients: the next backward hands over its own buffers. `number`
  // steps were taken before.
  void step(double rate, std::int64_t number);
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const OptimizerOptions& options() const { return options_; }
  // [buffer][parameter], of the parameters' shapes and layouts: checkpoints copy them out and in. One of momentum for
  // kSgd; first and second moments for kAdamW.
  std::vector<std::vector<at::Tensor>>& buffers() { return buffers_; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<std::vector<at::Tensor>> buffers_;
  OptimizerOptions options_;
};

// Which parameters are trained, how fast and with how much decay. Patterns are names in which * stands for any text.
struct ParameterGroups {
  double weight_decay = 0;
  bool decay_everything = true;  // false: tensors of one dimension (norm layers, biases, PReLU slopes) have no decay
  std::vector<std::pair<std::string, double>> rates = {};  // factor on the rate; the last pattern that matches counts
  std::vector<std::string> freeze = {};                    // not trained at all
};

// kUsage naming a pattern that matches nothing, and when nothing is left to train. Frozen tensors no longer require a
// gradient.
std::vector<Parameter> group_parameters(const std::vector<std::pair<std::string, at::Tensor>>& named,
                                        const ParameterGroups& options);

// L2 norm over all gradients as a scalar on their device; scales them by min(1, max_norm / (norm + 1e-6)) as torch's
// clip_grad_norm_ does. max_norm 0 only measures. Nothing is read back.
at::Tensor clip_gradient_norm(const std::vector<at::Tensor>& parameters, double max_norm);
// Multiplies all gradients by a number.
void scale_gradients(const std::vector<at::Tensor>& parameters, double factor);
// Cuts every number of the gradients off to [-limit, limit].
void clip_gradient_value(const std::vector<at::Tensor>& parameters, double limit);

}  // namespace likeness::train
