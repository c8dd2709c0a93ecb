#include "train/optim/ema_options.h"

#include <algorithm>

namespace likeness::train {

EmaOptions read_ema(Config& config) {
  EmaOptions o;
  o.decay = config.get_double("ema.decay", 0, 0, 0.9999999);
  o.warmup = config.get_int("ema.warmup", 10, 0);
  o.copy_statistics = config.get_choice("ema.statistics", "average", {"average", "copy"}) == "copy";
  return o;
}

double ema_decay(const EmaOptions& o, std::int64_t number) {
  if (o.warmup == 0) return o.decay;
  const auto n = static_cast<double>(number);
  return std::min(o.decay, (1 + n) / (static_cast<double>(o.warmup) + n));
}

}  // namespace likeness::train
