// What the network is shown at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace likeness::train {

// images [B,3,H,W] preprocessed, in the model's dtype; labels [B] i64 on the CPU. pixels [B,H,W,3] u8 on the CPU: the
// same pictures as they were before, flips and all, for losses that look at them (train/terms); else undefined.
// With further sets (train/further_sets.h) theirs follow in `images`, and `further` holds their labels, set by set;
// `labels` and `pixels` are the first set's alone.
struct MicroBatch {
  at::Tensor images, labels, pixels = {};
  std::vector<at::Tensor> further = {};
};

}  // namespace likeness::train
