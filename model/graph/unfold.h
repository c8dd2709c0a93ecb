// Batch norms that an exporter folded into the convolutions before them, brought back, so that the network can be
// trained.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

// 1 - epsilon is an f32, and so is its sum with epsilon: a batch norm of weight 1 and this variance is the identity to
// the last bit.
inline constexpr double kRestoredEpsilon = 0x1p-17;

// Puts a batch norm that is the identity behind every convolution with a bias, which becomes the batch norm's; the
// network computes what it did. Returns the batch norms' prefixes; none where the file was not folded: no convolution
// has a bias, or one is followed by a batch norm as it is. Convolutions that make tokens keep their bias. An epsilon
// that f32 cannot hold exactly gets the f32 weight (within 2.5e-4 of 1) and variance that come nearest, 1e-10.
std::vector<std::string> restore_batch_norms(Graph* graph, Weights* weights, double epsilon = kRestoredEpsilon);

// A restored batch norm is the identity in evaluation, but in training it would normalise what was never normalised.
// Given pictures, this makes its mean and variance those of its input, with weight and bias such that evaluation stays
// what it was (to f32 rounding): the first training step then computes nearly what the file did. pictures: [N,3,H,W]
// network input, f64 (N >= 1, as many as `count`). Runs in f64 (the interpreter). `prefixes`: as returned above.
void restate_batch_norms(const Graph& graph, Weights* weights, const std::vector<std::string>& prefixes,
                         const std::vector<double>& pictures, std::int64_t count, int threads);

}  // namespace likeness::model
