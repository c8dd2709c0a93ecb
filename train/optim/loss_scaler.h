// Dynamic loss scaling, what fp16 needs to train (Micikevicius et al., "Mixed precision training", ICLR 2018,
// section 3.2): gradients are computed of the loss times a power of two, so that small ones do not vanish in fp16, and
// divided again before anything looks at them. A gradient that overflows costs the step and halves the scale.
#pragma once

#include <cstdint>

namespace likeness::train {

struct LossScalerOptions {
  double start = 65536;  // 2^16: embeddings' gradients are about 1e-5 at first, fp16's smallest normal is 6e-5
  double growth = 2;     // after `interval` good steps in a row
  double backoff = 0.5;  // after a bad one
  std::int64_t interval = 2000;
  double lowest = 1;          // an overflow there is none of fp16's: the run diverges, and the guard takes over
  double highest = 16777216;  // 2^24
};

// Pure state machine, without Torch: the same reports give the same scales on every rank and after a resume.
class LossScaler {
 public:
  struct State {
    double scale = 0;
    std::int64_t good = 0;  // steps in a row since the scale last changed
  };

  explicit LossScaler(LossScalerOptions options = {}) : options_(options), state_{options.start, 0} {}

  double scale() const { return state_.scale; }
  // What a step's gradients were, on all ranks together. False: not finite at the lowest scale already.
  bool update(bool finite);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  LossScalerOptions options_;
  State state_;
};

}  // namespace likeness::train
