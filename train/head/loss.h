// A loss: what it does to the logit of a sample's own class and to those of the other classes, and which reduction
// makes a loss of the logits. The reduction itself, sharding, sampling, sub-centres and the way back are the
// classifier's and the same for all (docs/add-a-loss.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/head/loss_options.h"
#include "train/head/others.h"

namespace likeness::train {

// The samples of a step, those of all ranks. [B] f64.
struct Samples {
  at::Tensor cosine;  // with the nearest centre of the own class, in [-1, 1]; 0 for a sample of no class
  at::Tensor norm;    // of the embedding before it was normalised
  at::Tensor known;   // bool: the sample has a class (its label is not -1)
  std::int64_t step = 0;
  std::uint64_t seed = 0;
};

struct Margined {
  at::Tensor value;       // stands for the cosine: the own logit is scale * value
  at::Tensor extra = {};  // added to the sample's loss; undefined: nothing
  at::Tensor bar = {};    // per sample, for OthersKind::kCurriculum
};

// What a loss of Reduction::kBinary is made of: positive softplus(-z_y) + negative sum over j != y of softplus(z_j),
// with z_y = scale value + bias and z_j = scale (others' value) + shift + bias. The bias is one number for all classes,
// which the optimizer trains with the centres.
struct BinaryTerms {
  double positive = 1, negative = 1, shift = 0;
  double first_bias = 0;  // where the bias starts
};

struct HeadSize {
  std::int64_t classes = 0;  // over all ranks
  double sample_rate = 1;    // share of them in a step
};

class Loss {
 public:
  virtual ~Loss() = default;
  // In torch's operations: autograd finds the slopes of value and extra by cosine and norm. Sample b's outputs depend
  // on sample b's inputs; what the batch decides together (running means) must be detached. Called once a step.
  virtual Margined apply(const Samples& samples) = 0;
  // d value / d cosine [B] where it is written by hand; undefined: autograd.
  virtual at::Tensor slope(const Samples&, const Margined&) { return {}; }
  // After apply. Scale, reduction, bias and `detached` are filled in by the caller.
  virtual Others<double> others() const { return {}; }
  // For kBinary only.
  virtual BinaryTerms binary(const HeadSize&) const { return {}; }
  // Running numbers, 0-dimensional f64, by name: checkpoints keep them.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() { return {}; }
};

struct LossEntry {
  std::string name, summary;
  std::vector<LossKey> keys;  // besides the common ones
  std::unique_ptr<Loss> (*make)(const LossOptions& options);
  Reduction reduction = Reduction::kSoftmax;
};

// All losses, and the keys that every loss has: scale, gradient, filter.
const std::vector<const LossEntry*>& loss_table();
const std::vector<LossKey>& common_loss_keys();
const LossEntry& loss_entry(const std::string& name);  // kUsage: unknown name
// The loss has a rule of its own for the other classes, and the options ask for the filter as well.
bool filter_conflicts(const LossOptions& options);

// apply() with its slopes.
struct Slopes {
  Margined margined = {};
  at::Tensor by_cosine = {}, by_norm = {};              // of value
  at::Tensor extra_by_cosine = {}, extra_by_norm = {};  // of extra; zero where there is none
};
// straight_through: by_cosine is 1 and by_norm 0, whatever the margin does (arcface_torch, losses.py).
Slopes apply_with_slopes(Loss& loss, const Samples& samples, bool straight_through);

// sin and angle of a cosine, with slopes that stay finite at +-1 (they become 0 there).
at::Tensor sine_of(const at::Tensor& cosine);
at::Tensor angle_of(const at::Tensor& cosine);

}  // namespace likeness::train
