// One more loss on the embeddings, beside the classifier's.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "train/batch.h"

namespace likeness::train {

// What a term sees of a step. The gradients it gives are those of the mean loss over all ranks' samples, and are
// averaged over ranks later, as the classifier's (classifier.h).
struct TermInput {
  const at::Tensor& embeddings;  // [B,D], part of the graph
  const MicroBatch& batch;
  std::int64_t step = 0;        // steps taken before
  double share = 1;             // of this batch in a larger one, a factor on all gradients
  const at::Tensor& centres;    // [rows,D], this rank's class centres
  at::Tensor* centre_gradient;  // like centres, to be added to; null unless some term wants it
};

struct TermStep {
  std::vector<std::pair<std::string, at::Tensor>> losses = {};  // name and value for the log: means, 0-dimensional,
                                                                // without their weight
  at::Tensor gradient = {};                                     // [B,D] by the embeddings, weighted; undefined: none
  at::Tensor loss = {};  // 0-dimensional, weighted: differentiated through embeddings and own parameters;
                         // undefined: none
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Not thread-safe. All ranks call step together, with equal batches.
class Term {
 public:
  virtual ~Term() = default;
  virtual TermStep step(const TermInput& input) = 0;
  // It moves the class centres too.
  virtual bool wants_centre_gradient() const { return false; }
  // Trained beside the backbone and shipped with nothing: leaves that require a gradient, on the device.
  virtual NamedTensors parameters() { return {}; }
  // What a checkpoint keeps besides parameters: running numbers, the same on all ranks.
  virtual NamedTensors state() { return {}; }
};

}  // namespace likeness::train
