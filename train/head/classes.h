// Which classes a rank holds, and which of them take part in a step.
#pragma once

#include <cstdint>
#include <vector>

namespace likeness::train {

// Classes [begin, begin + count) of C.
struct ClassRange {
  std::int64_t begin = 0, count = 0;
  bool holds(std::int64_t label) const { return label >= begin && label < begin + count; }
};

// C classes over `world` ranks, the first C mod world ranks holding one more (as in arcface_torch). Every rank holds a
// class as long as C >= world.
ClassRange class_range(std::int64_t classes, int rank, int world);

// PartialFC (An et al., "Partial FC", ICCVW 2021): every class that a sample of the batch belongs to, and others at
// random until rate * count classes are reached. Where the positives alone are more, only they stay.
struct ClassSampling {
  double rate = 1;         // 1: all classes; 0: the positives alone
  std::uint64_t seed = 0;  // the choice is a function of (seed, step, range.begin) and the labels alone
};

// Local indices (label - range.begin), ascending. labels: those of all ranks; -1 and labels of other ranks do not
// count. O(range.count / 64 + classes chosen). rate 1 is not asked for: all classes need no list.
std::vector<std::int64_t> sample_classes(const std::vector<std::int64_t>& labels, const ClassRange& range,
                                         const ClassSampling& sampling, std::int64_t step);

}  // namespace likeness::train
