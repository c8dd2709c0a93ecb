// The two ways from the logits of all classes, over all ranks, to a sample's loss.
#pragma once

#include <ATen/core/Tensor.h>

#include "train/dist/group.h"
#include "train/head/loss.h"
#include "train/head/tiles.h"

namespace likeness::train {

// Of the samples of all ranks, [B] f64, before they are weighted to a mean; equal on all ranks.
struct Reduced {
  at::Tensor losses;
  at::Tensor by_value;      // d loss / d value of the own class
  at::Tensor top, factor;   // what Tiles::backward needs to find d loss / d cosine of the other classes
  at::Tensor by_bias = {};  // d loss / d bias, for kBinary
};

// `sums`: of this rank's classes; they are added up over the ranks. value [B]: stands for the own cosine. known [B]
// bool: samples without a class have no logit of their own and no loss.

// Cross-entropy, log-sum-exp: log sum_j e^(z_j) - z_y.
Reduced reduce_softmax(OtherSums sums, const at::Tensor& value, const at::Tensor& known, double scale, Group& group);
// positive softplus(-z_y) + negative sum_j softplus(z_j).
Reduced reduce_binary(OtherSums sums, const at::Tensor& value, double scale, const BinaryTerms& terms, double bias,
                      Group& group);

}  // namespace likeness::train
