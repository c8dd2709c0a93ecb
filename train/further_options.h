// `also` of a recipe: sets trained on beside `data`, each with a classifier of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"

namespace likeness::train {

struct FurtherSetOptions {
  std::string data;         // path of the set
  std::int64_t batch = 2;   // its pictures per step and rank, beside those of `data`: its share of the step
  double weight = 1;        // of its loss in the sum of all
  std::string digest = {};  // of the set, once it is open
};

// "FILE=PICTURES" or "FILE=PICTURES*WEIGHT", any number of them. kUsage naming the entry.
std::vector<FurtherSetOptions> read_further_sets(Config& config);
// "DIGEST=PICTURES*WEIGHT …", for a run's settings.
std::string text_of(const std::vector<FurtherSetOptions>& sets);

}  // namespace likeness::train
