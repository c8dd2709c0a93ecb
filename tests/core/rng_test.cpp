#include "core/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace likeness {
namespace {

// kat_vectors of the authors' Random123 library.
TEST(Philox, GivesThePublishedKnownAnswers) {
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32({f, f, f, f}, {f, f}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsAFunctionOfItsKeyAlone) {
  Rng a(7, Purpose::kAugment, 3, 1000), b(7, Purpose::kAugment, 3, 1000);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.next_u64(), b.next_u64());
}

TEST(Rng, EveryPartOfTheKeyMatters) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed : {0ull, 1ull, ~0ull}) {
    for (Purpose purpose : {Purpose::kShuffle, Purpose::kAugment, Purpose::kTest}) {
      for (std::uint64_t epoch : {0ull, 1ull, 1ull << 63}) {
        for (std::uint64_t index : {0ull, 1ull, 1ull << 40, ~0ull})
          first.insert(Rng(seed, purpose, epoch, index).next_u64());
      }
    }
  }
  EXPECT_EQ(first.size(), 3u * 3 * 3 * 4);
}

// The numbers are recorded with every seed: this test pins them for good.
TEST(Rng, ItsNumbersNeverChange) {
  Rng rng(42, Purpose::kTest, 1, 2);
  const std::vector<std::uint64_t> got{rng.next_u64(), rng.next_u64(), rng.next_u64()};
  EXPECT_EQ(got, (std::vector<std::uint64_t>{3131640787542934140u, 15500661317873452061u, 12653218065826242255u}));
}

TEST(Rng, BelowIsUnbiasedAndInRange) {
  Rng rng(1, Purpose::kTest);
  std::vector<int> counts(6);
  constexpr int kDraws = 600'000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(rng.below(6));
  double chi2 = 0;
  for (const int n : counts) chi2 += std::pow(n - kDraws / 6.0, 2) / (kDraws / 6.0);
  EXPECT_LT(chi2, 20.5);  // 5 degrees of freedom, p = 0.001; the seed is fixed
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.below(1), 0u);
  const std::uint64_t huge = (1ull << 63) + 12345;  // rejection is needed almost half of the time
  for (int i = 0; i < 1000; ++i) ASSERT_LT(rng.below(huge), huge);
}

TEST(Rng, UniformHasTheMomentsAndTheBoundsOfTheUniformDistribution) {
  Rng rng(2, Purpose::kTest);
  double sum = 0, squares = 0;
  constexpr int kDraws = 1'000'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.0015);
  for (int i = 0; i < 1000; ++i) ASSERT_LT(rng.uniform(1, std::nextafter(1.0, 2.0)), std::nextafter(1.0, 2.0));
}

TEST(Rng, NormalHasTheMomentsOfTheNormalDistribution) {
  Rng rng(3, Purpose::kTest);
  constexpr int kDraws = 1'000'000;
  double moment[5] = {};
  for (int i = 0; i < kDraws; ++i) {
    const double z = rng.normal();
    ASSERT_TRUE(std::isfinite(z));
    for (int k = 1; k <= 4; ++k) moment[k] += std::pow(z, k) / kDraws;
  }
  EXPECT_NEAR(moment[1], 0, 0.005);
  EXPECT_NEAR(moment[2], 1, 0.008);
  EXPECT_NEAR(moment[3], 0, 0.02);
  EXPECT_NEAR(moment[4], 3, 0.06);
}

TEST(Fnv1a, GivesThePublishedValues) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
}

}  // namespace
}  // namespace likeness
