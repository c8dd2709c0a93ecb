// Half a minute of the real step on this machine: the recipe's network, a rank's share of the identities, random
// pictures.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

#include "train/plan/plan.h"

namespace likeness::train {

// Steps for about `seconds` (at least three). Called once per process: what an earlier call left in the allocator would
// be counted as already there. Throws Interrupted when a signal asks to stop.
Measured measure_step(const Recipe& recipe, const model::Graph& graph, const Job& job, c10::Device device,
                      double seconds);

}  // namespace likeness::train
