#include "data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "core/error.h"

namespace likeness::data {
namespace {

std::vector<std::uint64_t> order(std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint64_t> result(n);
  for (std::uint64_t i = 0; i < n; ++i) result[i] = permute(i, n, seed, epoch);
  return result;
}

bool is_permutation_of_range(std::vector<std::uint64_t> values) {
  std::sort(values.begin(), values.end());
  for (std::uint64_t i = 0; i < values.size(); ++i)
    if (values[i] != i) return false;
  return true;
}

// Sum over cells of (observed - expected)^2 / expected.
template <class Counts>
double chi_square(const Counts& counts, double expected) {
  double sum = 0;
  for (const auto& [cell, count] : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(Permute, IsABijectionForEverySmallSize) {
  for (std::uint64_t n = 1; n <= 400; ++n)
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) EXPECT_TRUE(is_permutation_of_range(order(n, 7, epoch))) << n;
}

TEST(Permute, IsABijectionAroundPowersOfTwo) {
  for (std::uint64_t n : {1023, 1024, 1025, 65535, 65536, 65537, 100003})
    EXPECT_TRUE(is_permutation_of_range(order(n, 1, 0))) << n;
}

// WebFace42M has 42,474,557 pictures: no two of the positions looked at may meet in one picture.
TEST(Permute, DoesNotRepeatAPictureAmong42Million) {
  constexpr std::uint64_t n = 42'474'557;
  std::vector<bool> seen(n, false);
  const auto look = [&](std::uint64_t position) {
    const std::uint64_t i = permute(position, n, 3, 19);
    ASSERT_LT(i, n);
    ASSERT_FALSE(seen[i]) << "position " << position;
    seen[i] = true;
  };
  for (std::uint64_t p = 0; p < 100'000; ++p) look(p);
  for (std::uint64_t p = n - 100'000; p < n; ++p) look(p);
  for (std::uint64_t p = 100'000; p < n - 100'000; p += 997) look(p);
}

TEST(Permute, ReachesTheLargestSizes) {
  constexpr std::uint64_t n = (std::uint64_t{1} << 62) + 12345;
  std::set<std::uint64_t> seen;
  for (std::uint64_t p = 0; p < 1000; ++p) {
    const std::uint64_t i = permute(n - 1 - p, n, 1, 1);
    EXPECT_LT(i, n);
    EXPECT_TRUE(seen.insert(i).second);
  }
}

TEST(Permute, OrdersOfEpochsAndSeedsAreUnrelated) {
  constexpr std::uint64_t n = 5000;
  const auto base = order(n, 1, 0);
  for (const auto& other : {order(n, 1, 1), order(n, 1, 2), order(n, 2, 0), order(n, 0, 1)}) {
    std::size_t same = 0;
    for (std::uint64_t i = 0; i < n; ++i) same += base[i] == other[i];
    EXPECT_LE(same, 6u);  // Poisson with mean 1: seven or more has probability 8e-5
  }
}

// Each picture must be equally likely at each position: 10 x 10 cells over 20,000 epochs. 81 degrees of freedom; the
// limit is five standard deviations up.
TEST(Permute, EveryPictureIsEquallyLikelyAtEveryPosition) {
  for (std::uint64_t n : {10, 16}) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, double> counts;
    constexpr int epochs = 20'000;
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch)
      for (std::uint64_t i = 0; i < n; ++i) counts[{i, permute(i, n, 42, epoch)}] += 1;
    ASSERT_EQ(counts.size(), n * n);
    const double freedom = double((n - 1) * (n - 1));
    EXPECT_LT(chi_square(counts, epochs / double(n)), freedom + 5 * std::sqrt(2 * freedom)) << n;
  }
}

// All 120 orders of five pictures, equally often.
TEST(Permute, EveryOrderOfFiveIsEquallyLikely) {
  std::map<std::vector<std::uint64_t>, double> counts;
  constexpr int epochs = 24'000;
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) counts[order(5, 9, epoch)] += 1;
  ASSERT_EQ(counts.size(), 120u);
  EXPECT_LT(chi_square(counts, epochs / 120.0), 119 + 5 * std::sqrt(2 * 119.0));
}

// Neighbours in the order must not be neighbours in the set (which is sorted by identity): over 100 epochs of 1000
// pictures the distance of successive pictures has the mean (n + 1) / 3 of two independent draws.
TEST(Permute, NeighboursAreUnrelated) {
  constexpr std::uint64_t n = 1000;
  double sum = 0;
  for (std::uint64_t epoch = 0; epoch < 100; ++epoch) {
    const auto o = order(n, 5, epoch);
    for (std::uint64_t i = 1; i < n; ++i) sum += std::abs(double(o[i]) - double(o[i - 1]));
  }
  const double mean = sum / (100.0 * (n - 1)), sigma = n / std::sqrt(18.0) / std::sqrt(100.0 * (n - 1));
  EXPECT_NEAR(mean, (n + 1) / 3.0, 5 * sigma);
}

// A checkpoint resumes this order: it may never change.
TEST(Permute, OrderIsPinned) {
  EXPECT_EQ(order(10, 1, 0), (std::vector<std::uint64_t>{6, 0, 1, 3, 5, 2, 9, 4, 7, 8}));
  EXPECT_EQ(permute(12'345'678, 42'474'557, 0, 3), 13'896'807u);
}

TEST(Sampler, RanksPartitionTheSetExactly) {
  for (std::int64_t n : {1, 5, 64, 97, 100})
    for (int world : {1, 2, 3, 7})
      for (std::int64_t batch : {1, 4, 10}) {
        std::vector<int> seen(static_cast<std::size_t>(n), 0);
        for (int rank = 0; rank < world; ++rank) {
          const Sampler s(n, {.seed = 3, .rank = rank, .world = world, .batch = batch, .drop_last = false});
          for (std::int64_t k = 0; k < s.batches_per_epoch(); ++k)
            for (std::int64_t b = 0; b < s.batch_size(k); ++b) ++seen[static_cast<std::size_t>(s.at(2, k, b))];
        }
        EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), n)
            << n << " pictures, world " << world << ", batch " << batch;
      }
}

TEST(Sampler, DropLastLeavesOutOnlyWhatDoesNotFill) {
  for (std::int64_t n : {64, 97, 100})
    for (int world : {1, 2, 3})
      for (std::int64_t batch : {1, 4, 10}) {
        std::set<std::int64_t> seen;
        std::int64_t taken = 0;
        for (int rank = 0; rank < world; ++rank) {
          const Sampler s(n, {.seed = 3, .rank = rank, .world = world, .batch = batch});
          for (std::int64_t k = 0; k < s.batches_per_epoch(); ++k) {
            ASSERT_EQ(s.batch_size(k), batch);
            for (std::int64_t b = 0; b < batch; ++b, ++taken) seen.insert(s.at(0, k, b));
          }
        }
        EXPECT_EQ(static_cast<std::int64_t>(seen.size()), taken);
        EXPECT_EQ(taken, n / (world * batch) * world * batch);
      }
}

TEST(Sampler, RanksAgreeOnTheNumberOfBatches) {
  for (bool drop_last : {true, false})
    for (std::int64_t n = 30; n < 60; ++n) {
      std::set<std::int64_t> counts;
      for (int rank = 0; rank < 4; ++rank)
        counts.insert(Sampler(n, {.rank = rank, .world = 4, .batch = 7, .drop_last = drop_last}).batches_per_epoch());
      EXPECT_EQ(counts.size(), 1u) << n;
    }
}

// Four ranks of 8 see in step k what one rank of 32 sees in it.
TEST(Sampler, AStepHoldsTheSamePicturesForAnyNumberOfRanks) {
  const Sampler whole(1000, {.seed = 5, .batch = 32});
  for (std::int64_t k = 0; k < whole.batches_per_epoch(); ++k) {
    std::set<std::int64_t> one, four;
    for (std::int64_t b = 0; b < 32; ++b) one.insert(whole.at(1, k, b));
    for (int rank = 0; rank < 4; ++rank) {
      const Sampler part(1000, {.seed = 5, .rank = rank, .world = 4, .batch = 8});
      for (std::int64_t b = 0; b < 8; ++b) four.insert(part.at(1, k, b));
    }
    ASSERT_EQ(one, four);
  }
}

TEST(Sampler, UnshuffledIsTheStoredOrder) {
  const Sampler s(10, {.rank = 1, .world = 2, .batch = 2, .shuffle = false});
  EXPECT_EQ(s.at(0, 0, 0), 1);
  EXPECT_EQ(s.at(0, 0, 1), 3);
  EXPECT_EQ(s.at(5, 1, 0), 5);
}

TEST(Sampler, KeptLastBatchIsShorter) {
  const Sampler s(10, {.batch = 4, .drop_last = false});
  EXPECT_EQ(s.batches_per_epoch(), 3);
  EXPECT_EQ(s.batch_size(1), 4);
  EXPECT_EQ(s.batch_size(2), 2);
  // Five pictures for two ranks in batches of 2: rank 1 has nothing left in the second step, but takes part in it.
  const Sampler last(5, {.rank = 1, .world = 2, .batch = 2, .drop_last = false});
  EXPECT_EQ(last.batches_per_epoch(), 2);
  EXPECT_EQ(last.batch_size(1), 0);
}

// 40 identities of 1 … 8 pictures: those of one are left out.
std::vector<std::int64_t> uneven_labels() {
  std::vector<std::int64_t> labels;
  for (std::int64_t p = 0; p < 40; ++p)
    for (std::int64_t k = 0; k <= p % 8; ++k) labels.push_back(p);
  labels.push_back(-1);
  labels.push_back(-1);
  return labels;
}

TEST(IdentityIndex, ListsThePicturesOfEachWithTwoOrMore) {
  const std::vector<std::int64_t> labels = {3, -1, 0, 3, 1, 0, -1, 3};
  const IdentityIndex index(labels);
  ASSERT_EQ(index.identities(), 2);
  EXPECT_EQ(std::vector<std::int64_t>(index.pictures(0).begin(), index.pictures(0).end()),
            (std::vector<std::int64_t>{2, 5}));
  EXPECT_EQ(std::vector<std::int64_t>(index.pictures(1).begin(), index.pictures(1).end()),
            (std::vector<std::int64_t>{0, 3, 7}));
  EXPECT_EQ(IdentityIndex(std::vector<std::int64_t>{}).identities(), 0);
}

TEST(Sampler, BatchesOfIdentitiesHoldSeveralPicturesOfEach) {
  const std::vector<std::int64_t> labels = uneven_labels();
  const auto n = static_cast<std::int64_t>(labels.size());
  const auto index = std::make_shared<const IdentityIndex>(labels);
  const Sampler s(n, {.seed = 4, .batch = 16, .identities = index, .per_identity = 4});
  EXPECT_EQ(s.batches_per_epoch(), n / 16);
  std::set<std::vector<std::int64_t>> batches;
  std::map<std::int64_t, int> met;
  for (std::int64_t epoch = 0; epoch < 30; ++epoch)
    for (std::int64_t k = 0; k < s.batches_per_epoch(); ++k) {
      std::map<std::int64_t, std::set<std::int64_t>> pictures;
      std::vector<std::int64_t> batch;
      for (std::int64_t b = 0; b < 16; ++b) {
        const std::int64_t i = s.at(epoch, k, b), label = labels.at(static_cast<std::size_t>(i));
        batch.push_back(i);
        pictures[label].insert(i);
        ++met[i];
        EXPECT_EQ(label, labels.at(static_cast<std::size_t>(s.at(epoch, k, b / 4 * 4))));
      }
      EXPECT_EQ(pictures.size(), 4u);
      for (const auto& [label, own] : pictures)
        EXPECT_EQ(own.size(), std::min<std::size_t>(4, static_cast<std::size_t>(label % 8 + 1))) << label;
      batches.insert(batch);
    }
  EXPECT_EQ(batches.size(), static_cast<std::size_t>(30 * s.batches_per_epoch()));  // no two alike
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t label = labels[static_cast<std::size_t>(i)];
    EXPECT_EQ(met.contains(i), label >= 0 && label % 8 > 0) << i;  // everybody's every picture comes up
  }
}

TEST(Sampler, ABatchOfIdentitiesIsTheSameForAnyNumberOfRanks) {
  const auto index = std::make_shared<const IdentityIndex>(uneven_labels());
  const Sampler whole(182, {.seed = 5, .batch = 24, .identities = index, .per_identity = 3});
  for (std::int64_t k = 0; k < whole.batches_per_epoch(); ++k) {
    std::multiset<std::int64_t> one, many;
    for (std::int64_t b = 0; b < 24; ++b) one.insert(whole.at(2, k, b));
    for (int rank = 0; rank < 4; ++rank) {
      const Sampler part(182,
                         {.seed = 5, .rank = rank, .world = 4, .batch = 6, .identities = index, .per_identity = 3});
      for (std::int64_t b = 0; b < 6; ++b) many.insert(part.at(2, k, b));
    }
    EXPECT_EQ(one, many);
  }
}

TEST(Sampler, IdentitiesThatDoNotFitABatchAreRefused) {
  const auto index = std::make_shared<const IdentityIndex>(uneven_labels());  // 35 with two pictures
  const auto refused = [&](SamplerOptions o) {
    o.identities = index;
    try {
      Sampler(182, o);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::kUsage;
    }
    return false;
  };
  EXPECT_FALSE(refused({.batch = 70, .per_identity = 2}));
  EXPECT_TRUE(refused({.batch = 72, .per_identity = 2}));
  EXPECT_TRUE(refused({.batch = 16, .per_identity = 3}));
  EXPECT_TRUE(refused({.batch = 16, .per_identity = 1}));
  EXPECT_TRUE(refused({.batch = 16, .shuffle = false, .per_identity = 2}));
}

TEST(Sampler, RefusesWhatCannotWork) {
  const auto kind = [](std::int64_t n, SamplerOptions o) {
    try {
      Sampler(n, o);
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::kCheckFailed;
  };
  EXPECT_EQ(kind(0, {}), ErrorKind::kData);
  EXPECT_EQ(kind(10, {.batch = 0}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.batch = 11}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.world = 2, .batch = 6}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.rank = 2, .world = 2}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.rank = -1, .world = 2}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.world = 0}), ErrorKind::kUsage);
  EXPECT_EQ(kind(10, {.batch = 10}), ErrorKind::kCheckFailed) << "one whole batch is enough";
}

}  // namespace
}  // namespace likeness::data
