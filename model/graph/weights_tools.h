// What is asked of weights whatever file they lie in: facts, differences, averages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/graph/weights.h"

namespace likeness::model {

struct TensorFacts {
  std::int64_t elements = 0, non_finite = 0;
  double low = 0, high = 0, mean = 0, norm = 0;  // of the finite elements; norm: L2
};
TensorFacts facts_of(const WeightTensor& tensor);

struct TensorDifference {
  double largest = 0;   // |a - b|; infinite where one of the two is not finite and the other is another value
  double relative = 0;  // |a - b| / |a|, both L2; 0 when both are 0
  double cosine = 1;    // of the two as vectors; 1 when both are 0, 0 when one is
  bool equal() const { return largest == 0; }
};
// Shapes must be equal; dtypes need not be.
TensorDifference difference(const WeightTensor& a, const WeightTensor& b);

// The weighted mean of several state dicts of one network, tensor by tensor: sums in f64, floats out as f32, integers
// as in the first. `shares` are positive and are divided by their sum; `names` are for messages. Batch norm's running
// statistics are averaged like all else, which is right for snapshots of one run and only near for others: then a
// short training run, or re-estimation, sets them straight. Metadata is the first's. Shares and weights are equally
// many, at least one. kData naming file and tensor when names or shapes differ or a value is not finite.
Weights average(std::span<const Weights* const> weights, const std::vector<double>& shares,
                const std::vector<std::string>& names);

}  // namespace likeness::model
