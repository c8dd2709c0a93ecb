// Shards and samples of classes: every class in one shard, every positive kept, the rate met, the choice reproducible.
#include "train/head/classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "train/head/sample_stages.h"

namespace likeness::train {
namespace {

TEST(Classes, RangesCoverEveryClassOnce) {
  for (std::int64_t classes : {1, 7, 24, 53, 1000003})
    for (int world : {1, 2, 3, 4, 8}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < world; ++rank) {
        const ClassRange r = class_range(classes, rank, world);
        EXPECT_EQ(r.begin, next);
        next += r.count;
        EXPECT_LE(r.count - classes / world, 1);
      }
      EXPECT_EQ(next, classes);
    }
  // arcface_torch's rule beyond 2^32 classes.
  EXPECT_EQ(class_range(10'000'000'001, 1, 2).begin, 5'000'000'001);
}

const ClassRange kRange{.begin = 1000, .count = 500};

TEST(Classes, EveryPositiveStaysAndTheRateIsMet) {
  const std::vector<std::int64_t> labels = {1000, 1499, 1200, 1200, 999, 1500, -1, 7};
  for (double rate : {0., .01, .1, .3, .5, .7, .99})
    for (std::int64_t step = 0; step < 5; ++step) {
      const auto c = sample_classes(labels, kRange, {.rate = rate, .seed = 1}, step);
      EXPECT_TRUE(std::is_sorted(c.begin(), c.end()) && std::adjacent_find(c.begin(), c.end()) == c.end());
      for (std::int64_t own : {0, 200, 499}) EXPECT_TRUE(std::binary_search(c.begin(), c.end(), own));
      EXPECT_EQ(static_cast<std::int64_t>(c.size()), std::max<std::int64_t>(3, static_cast<std::int64_t>(rate * 500)));
      for (std::int64_t i : c) EXPECT_TRUE(i >= 0 && i < 500);
    }
}

TEST(Classes, WherePositivesExceedTheRateOnlyTheyStay) {
  std::vector<std::int64_t> labels;
  for (std::int64_t c = 1000; c < 1100; ++c) labels.push_back(c);
  const auto c = sample_classes(labels, kRange, {.rate = .1}, 0);
  ASSERT_EQ(c.size(), 100u);
  EXPECT_EQ(c.back(), 99);
}

TEST(Classes, TheChoiceIsAFunctionOfSeedStepAndShard) {
  const std::vector<std::int64_t> labels = {1003};
  const auto base = sample_classes(labels, kRange, {.rate = .2, .seed = 1}, 3);
  EXPECT_EQ(base, sample_classes(labels, kRange, {.rate = .2, .seed = 1}, 3));
  EXPECT_NE(base, sample_classes(labels, kRange, {.rate = .2, .seed = 2}, 3));
  EXPECT_NE(base, sample_classes(labels, kRange, {.rate = .2, .seed = 1}, 4));
  EXPECT_NE(base, sample_classes({3}, {.begin = 0, .count = 500}, {.rate = .2, .seed = 1}, 3));
}

// Every class is as likely as every other: 2,000 draws of 100 of 500 classes.
TEST(Classes, ChosenEvenly) {
  for (double rate : {.2, .8}) {
    std::map<std::int64_t, int> seen;
    for (std::int64_t step = 0; step < 2000; ++step)
      for (std::int64_t c : sample_classes({}, kRange, {.rate = rate, .seed = 5}, step)) ++seen[c];
    const double expected = 2000 * rate, deviation = std::sqrt(2000 * rate * (1 - rate));
    ASSERT_EQ(seen.size(), 500u);
    for (const auto& [c, n] : seen) EXPECT_NEAR(n, expected, 5 * deviation) << c;
  }
}

TEST(SampleStages, GoByTheShareOfTheRun) {
  const std::vector<SampleStage> stages = {{.1, 0}, {.5, .3}};
  for (const auto& [step, rate] : {std::pair{0, 0.0}, {9, 0.0}, {10, .3}, {49, .3}, {50, .8}, {99, .8}, {100, .8}})
    EXPECT_EQ(sample_rate_at(stages, .8, step, 100), rate) << step;
  EXPECT_EQ(sample_rate_at({}, .8, 0, 100), .8);
}

}  // namespace
}  // namespace likeness::train
