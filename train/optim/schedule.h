// The learning rate as a pure function of the step.
#pragma once

#include <cstdint>
#include <vector>

namespace likeness::train {

enum class ScheduleKind { kConstant, kPolynomial, kStep, kCosine };

struct Schedule {
  ScheduleKind kind = ScheduleKind::kPolynomial;
  std::int64_t total = 0;                     // steps of the whole run, warm-up included
  std::int64_t warmup = 0;                    // first steps with a linearly rising rate; 0 for none
  double warmup_start = 0.001;                // rate of step 0 as a share of the base rate, if there is a warm-up
  double power = 2;                           // polynomial: (1 - t)^power
  double final = 0;                           // cosine: share of the base rate at the end
  std::vector<std::int64_t> milestones = {};  // step: the rate is multiplied by gamma from each of these steps on
  double gamma = 0.1;
  // Polynomial only: arcface_torch's PolynomialLRWarmup to the bit. It runs step 0 at the full base rate and then warms
  // up from base/warmup; its rate is 0 from step `total` on.
  bool insightface = false;
};

// The factor on the base rate used by step t = 0, 1, 2 …  Polynomial and cosine fall over the steps after the warm-up
// and stay at their end value past `total`. Defined for every t >= 0; a warm-up as long as the run just rises.
double schedule_factor(const Schedule& schedule, std::int64_t step);

}  // namespace likeness::train
