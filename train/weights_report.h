// What `likeness train weights` prints about weights.
#pragma once

#include "core/cli.h"
#include "model/weights_file.h"

namespace likeness::train {

// Network, contract, and per tensor: dtype, shape, range, mean, norm, values that are not finite.
CommandResult inspect_weights(const model::WeightsFile& file);

// Exit code 1 when a tensor is in one file only, has another shape, or differs by more than `tolerance` anywhere.
CommandResult diff_weights(const model::WeightsFile& a, const model::WeightsFile& b, double tolerance);

}  // namespace likeness::train
