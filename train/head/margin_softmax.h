// The classifier's epilogue: margin, softmax, cross-entropy and the gradient with respect to the cosines, in one pass
// over rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/head/margin.h"

namespace likeness::train {

// cosines [B,C] f32 or f64, contiguous, any value (rounding past +-1 is cut off); labels [B] i64 in [0,C).
// Returns the true cross-entropy per sample [B] (log-sum-exp, never capped) and leaves d loss_b / d cosine in
// `cosines`. Rows are independent of each other and of the number of threads. Runs where the tensor lives: the CPU form
// is here, the CUDA form is registered by liblikeness_cuda.so under the same operator, likeness::margin_softmax_.
at::Tensor margin_softmax_(const at::Tensor& cosines, const at::Tensor& labels, const Margin& margin);

}  // namespace likeness::train
