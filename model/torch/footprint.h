// How much memory a training step of a network takes, foretold from its graph: the step's tensors are allocated and
// freed on paper, in the module's order and by the memory cache's own rule (free_blocks.h).
#pragma once

#include <cstdint>

#include "model/graph/graph.h"

namespace likeness::model {

struct FootprintOptions {
  std::int64_t batch = 64;      // pictures per step and rank
  bool bf16 = false;            // feature maps in bf16 or fp16, else in f32
  bool bf16_is_native = false;  // false: factors of a product are widened to f32 for the while (convolution.h)
  bool recompute = false;       // pieces of the network are computed again for backward (recompute.h)
  std::int64_t buffers = 1;     // of the optimizer per weight: 1 of momentum, 2 with AdamW
};

// Bytes. On the CPU, after a few steps: what the process holds more than before the network was made.
struct Footprint {
  std::int64_t weights = 0;    // parameters, running statistics
  std::int64_t optimizer = 0;  // its buffers
  std::int64_t step = 0;       // gradients and feature maps at the peak of a step, with the blocks kept for the next
  std::int64_t total() const { return weights + optimizer + step; }
};

// Deterministic, without touching a tensor.
Footprint training_footprint(const Graph& graph, const FootprintOptions& options);

}  // namespace likeness::model
