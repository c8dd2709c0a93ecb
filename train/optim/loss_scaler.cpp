#include "train/optim/loss_scaler.h"

#include <algorithm>

namespace likeness::train {

bool LossScaler::update(bool finite) {
  if (!finite) {
    const bool could = state_.scale > options_.lowest;
    state_ = {std::max(options_.lowest, state_.scale * options_.backoff), 0};
    return could;
  }
  if (++state_.good == options_.interval) state_ = {std::min(options_.highest, state_.scale * options_.growth), 0};
  return true;
}

}  // namespace likeness::train
