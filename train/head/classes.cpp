#include "train/head/classes.h"

#include <algorithm>

#include "core/error.h"
#include "core/rng.h"

namespace likeness::train {
namespace {

// A set of whole numbers below n that can be listed in order.
class BitSet {
 public:
  explicit BitSet(std::int64_t n) : words_(static_cast<std::size_t>((n + 63) / 64)) {}
  // True if `i` was not in it.
  bool add(std::int64_t i) {
    std::uint64_t& word = words_[static_cast<std::size_t>(i) / 64];
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    const bool fresh = !(word & bit);
    word |= bit;
    return fresh;
  }
  bool has(std::int64_t i) const { return words_[static_cast<std::size_t>(i) / 64] >> (i % 64) & 1; }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace

ClassRange class_range(std::int64_t classes, int rank, int world) {
  LIKENESS_ASSERT(world > 0 && rank >= 0 && rank < world);
  const std::int64_t each = classes / world, more = classes % world;
  return {.begin = each * rank + std::min<std::int64_t>(rank, more), .count = each + (rank < more ? 1 : 0)};
}

std::vector<std::int64_t> sample_classes(const std::vector<std::int64_t>& labels, const ClassRange& range,
                                         const ClassSampling& sampling, std::int64_t step) {
  BitSet positive(range.count);
  std::int64_t positives = 0;
  for (std::int64_t label : labels)
    if (range.holds(label)) positives += positive.add(label - range.begin);

  const auto quota = static_cast<std::int64_t>(sampling.rate * static_cast<double>(range.count));
  const std::int64_t wanted = std::max<std::int64_t>(quota - positives, 0), others = range.count - positives;
  // Drawing what is left out instead, where that is less, keeps the draws that hit a class twice few.
  const bool draw_absent = wanted > others / 2;
  const std::int64_t draws = draw_absent ? others - wanted : wanted;
  BitSet drawn(range.count);
  Rng rng(sampling.seed, Purpose::kSample, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(range.begin));
  for (std::int64_t n = 0; n < draws;) {
    const auto i = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(range.count)));
    if (!positive.has(i)) n += drawn.add(i);
  }

  std::vector<std::int64_t> chosen;
  chosen.reserve(static_cast<std::size_t>(positives + wanted));
  for (std::int64_t i = 0; i < range.count; ++i)
    if (positive.has(i) || drawn.has(i) != draw_absent) chosen.push_back(i);
  return chosen;
}

}  // namespace likeness::train
