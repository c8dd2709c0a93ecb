// Batch norm with what follows it, as one operator: z = prelu((x - mean) * gamma / sqrt(var + eps) + beta) + residual.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace likeness::model {

// Adds [n] f64 on the CPU up over the ranks of a run, in place; every rank then has the same bits.
using SumOverRanks = std::function<void(at::Tensor& sums)>;

struct NormParameters {
  at::Tensor gamma, beta;  // [C]
  at::Tensor running_mean,
      running_var;   // [C], updated in place in training mode: (1 - momentum) * old + momentum * batch's
  at::Tensor slope;  // [C], or undefined: no PReLU
  double epsilon = 1e-5;
  double momentum = 0.1;
  bool training = true;  // statistics of this batch, instead of the running ones
  // In training mode: the batch is that of all ranks together, each of which calls with its part (Peng et al. 2018,
  // "cross-GPU batch normalization"). One sum over the ranks forward, [2 C + 1], and one backward, [2 C + 1]. The
  // gradients of gamma, beta and slope stay this rank's part of the sum. Null: this rank's batch alone. CPU only.
  std::shared_ptr<const SumOverRanks> ranks = nullptr;
};

// Statistics and gradients are sums over fixed pieces of the batch, in f64 from 64 values on: the same for any number
// of threads.
//
// On the CPU hand-vectorised loops (kernel/kernels.h); on other devices PyTorch's operators, one after another. A CUDA
// form would be declared with TORCH_LIBRARY_FRAGMENT(likeness, m), implemented in the CUDA module under
// TORCH_LIBRARY_IMPL(likeness, CUDA, m) with the formulas of kernel/norm_math.h, and called from norm() where the
// dispatcher finds it.
//
// x [B,C,H,W] channels-last or [B,C]; f32, f64, or bf16 or fp16 with f32 parameters -> the same shape and type.
// `residual`: undefined or like x. Differentiable in x, residual, gamma, beta and slope.
at::Tensor norm(const at::Tensor& x, const at::Tensor& residual, const NormParameters& parameters);

}  // namespace likeness::model
