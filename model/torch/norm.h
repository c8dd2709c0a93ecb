// Batch norm with what follows it, as one operator: z = prelu((x - mean) * gamma / sqrt(var + eps) + beta) + residual.
#pragma once

#include <ATen/core/Tensor.h>

namespace likeness::model {

struct NormParameters {
  at::Tensor gamma, beta;  // [C]
  at::Tensor running_mean,
      running_var;   // [C], updated in place in training mode: (1 - momentum) * old + momentum * batch's
  at::Tensor slope;  // [C], or undefined: no PReLU
  double epsilon = 1e-5;
  double momentum = 0.1;
  bool training = true;  // statistics of this batch, instead of the running ones
};

// Statistics and gradients are sums over fixed pieces of the batch, in f64 from 64 values on: the same for any number
// of threads.
//
// On the CPU hand-vectorised loops (kernel/kernels.h); on other devices PyTorch's operators, one after another. A CUDA
// form would be declared with TORCH_LIBRARY_FRAGMENT(likeness, m), implemented in the CUDA module under
// TORCH_LIBRARY_IMPL(likeness, CUDA, m) with the formulas of kernel/norm_math.h, and called from norm() where the
// dispatcher finds it.
//
// x [B,C,H,W] channels-last or [B,C]; f32, f64, or bf16 with f32 parameters -> the same shape and type. `residual`:
// undefined or like x. Differentiable in x, residual, gamma, beta and slope.
at::Tensor norm(const at::Tensor& x, const at::Tensor& residual, const NormParameters& parameters);

}  // namespace likeness::model
