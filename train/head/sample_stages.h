// A sampling rate that changes as a run goes on: the positives alone at first, where centres still mean nothing, then a
// share of the classes, then all (so LVFace's progressive cluster optimisation begins). Without Torch.
#pragma once

#include <cstdint>
#include <vector>

namespace likeness::train {

// Up to `until`, a share of the run's steps, this rate of the classes takes part in a step (classes.h).
struct SampleStage {
  double until = 0;  // in (0, 1]
  double rate = 0;   // in [0, 1]
};

// The rate of step 0, 1, … of `total`: that of the first stage, ascending in `until`, that has not ended; `rate` after
// the last. A pure function, so a resumed run goes on with it.
double sample_rate_at(const std::vector<SampleStage>& stages, double rate, std::int64_t step, std::int64_t total);

}  // namespace likeness::train
