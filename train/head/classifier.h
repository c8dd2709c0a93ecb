// The class centres and their loss: full softmax over all C identities, forward and hand-written backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "train/head/margin.h"

namespace likeness::train {

struct ClassifierOptions {
  std::int64_t classes = 0;    // C
  std::int64_t dimension = 0;  // D
  Margin margin = {};
  double init_std =
      0.01;  // centres start as N(0, init_std): only their direction enters the loss, but a small norm turns faster
  std::uint64_t seed = 0;  // centre c is a function of (seed, c) alone, so any split over ranks starts the same
};

// Owns the centres [C,D]. Not thread-safe.
class Classifier {
 public:
  Classifier(const ClassifierOptions& options, at::ScalarType dtype);  // f32 or f64

  // embeddings [B,D] (not normalised), labels [B] i64 in [0,C) -> mean cross-entropy over the batch, a scalar that
  // autograd can go back from, to the embeddings and to weight(). Both sides are L2-normalised (norms below 1e-12 count
  // as 1e-12, as in torch's normalize).
  at::Tensor loss(const at::Tensor& embeddings, const at::Tensor& labels) const;

  at::Tensor& weight() { return weight_; }
  const at::Tensor& weight() const { return weight_; }
  const ClassifierOptions& options() const { return options_; }
  void to(at::Device device);

 private:
  ClassifierOptions options_;
  at::Tensor weight_;
};

// The same without an object: what Classifier::loss computes. Tests check its gradient by finite differences.
at::Tensor margin_loss(const at::Tensor& embeddings, const at::Tensor& weight, const at::Tensor& labels,
                       const Margin& margin);

}  // namespace likeness::train
