#include "train/head/sample_stages.h"

namespace likeness::train {

double sample_rate_at(const std::vector<SampleStage>& stages, double rate, std::int64_t step, std::int64_t total) {
  for (const SampleStage& stage : stages)
    if (static_cast<double>(step) < stage.until * static_cast<double>(total)) return stage.rate;
  return rate;
}

}  // namespace likeness::train
