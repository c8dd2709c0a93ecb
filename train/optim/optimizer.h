// Stochastic gradient descent with momentum, torch's semantics, and gradient clipping.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace likeness::train {

// One tensor to be trained. The name is what checkpoints and messages call it.
struct Parameter {
  std::string name = {};
  at::Tensor value = {};    // a leaf that requires a gradient
  double weight_decay = 0;  // L2, added to the gradient
  double rate = 1;          // factor on the learning rate of the step
};

struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
};

// buffer = momentum * buffer + (gradient + weight_decay * value); value -= rate * buffer. The first step's buffer is
// the gradient (torch.optim.SGD), which is the same as a buffer that starts at zero. Fused: one pass over value,
// gradient, buffer.
class Sgd {
 public:
  Sgd(std::vector<Parameter> parameters, SgdOptions options);
  // Every parameter must hold a gradient. Frees the gradients: the next backward hands over its own buffers.
  void step(double rate);
  const std::vector<Parameter>& parameters() const { return parameters_; }
  // Momentum buffers, one per parameter, of its shape and layout: checkpoints copy them out and in.
  std::vector<at::Tensor>& buffers() { return buffers_; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<at::Tensor> buffers_;
  SgdOptions options_;
};

// L2 norm over all gradients as a scalar on their device; scales them by min(1, max_norm / (norm + 1e-6)) as torch's
// clip_grad_norm_ does. max_norm 0 only measures. Nothing is read back.
at::Tensor clip_gradient_norm(const std::vector<at::Tensor>& parameters, double max_norm);

}  // namespace likeness::train
