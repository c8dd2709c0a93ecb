// How a run's ranks come together, and what they agree on.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "train/checkpoint.h"
#include "train/dist/environment.h"
#include "train/dist/group.h"
#include "train/recipe.h"

namespace likeness::train {

// The group of this run, alone, over Gloo, or through NCCL where `device` is a GPU, after a pre-flight that also
// compares settings, data and kind of device. Call it when everything that a rank can find wrong by itself has been
// looked at: until then no rank waits for another. kEnvironment: a rank that does not come, or disagrees.
std::unique_ptr<Group> join_ranks(RankEnvironment ranks, const Recipe& recipe, const std::string& data_digest,
                                  at::Device device);

// The largest of what all ranks say.
float largest_of_ranks(Group& group, float mine);

// `group` outlives it.
SavingRanks saving_ranks(Group& group);

}  // namespace likeness::train
