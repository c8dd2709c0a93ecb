// What a recipe says about the moving average of the backbone's weights, without Torch.
#pragma once

#include <cstdint>

#include "core/config.h"

namespace likeness::train {

struct EmaOptions {
  double decay = 0;  // share of the old average kept in a step, in [0,1); 0: no average. 0.9999 looks back 10,000 steps
  std::int64_t warmup = 10;  // the first decays are (1 + n) / (warmup + n), so that the random start is soon forgotten;
                             // 0: `decay` from the first step on
  bool copy_statistics = false;  // batch norm's running mean and variance: false: averaged like the weights, as what
                                 // belongs to averaged weights; true: those of the network as it is
  bool on() const { return decay > 0; }
};

// `ema.decay`, `.warmup`, `.statistics`. Errors as Config's.
EmaOptions read_ema(Config& config);

// The decay of step `number` = 0, 1, …: min(decay, (1 + number) / (warmup + number)). A pure function of the step, so
// nothing about it needs saving.
double ema_decay(const EmaOptions& options, std::int64_t number);

}  // namespace likeness::train
