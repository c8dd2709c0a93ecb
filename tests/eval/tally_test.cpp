// Counting all pairs by f32 tiles must give what f64 scores one by one give.
#include "eval/metrics/tally.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/eval/support.h"

namespace likeness::eval {
namespace {

std::vector<ListedPair> every_pair(const EmbeddingArchive& a) {
  std::vector<ListedPair> pairs;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = i + 1; j < a.size(); ++j)
      pairs.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(j), a.subjects[i] == a.subjects[j]});
  return pairs;
}

Grouping by_gender(const EmbeddingArchive& a) {
  Grouping g{2, {}};
  for (std::uint64_t code : a.attributes.columns[0].codes) g.of.push_back(code == 0 ? 2 : code == 1 ? 0 : 1);
  return g;
}

TEST(Score, VariantsAndOrderOfSidesGiveTheSameBits) {
  Rng rng(3, Purpose::kTest);
  for (std::size_t n : {1u, 7u, 8u, 9u, 64u, 127u, 512u}) {
    std::vector<float> a(n), b(n);
    for (std::size_t k = 0; k < n; ++k) a[k] = static_cast<float>(rng.normal()), b[k] = static_cast<float>(rng.normal());
    // The documented order, written out without vectors.
    volatile double lanes[8] = {};
    for (std::size_t k = 0; k < n; ++k) lanes[k % 8] = lanes[k % 8] + static_cast<double>(a[k]) * static_cast<double>(b[k]);
    const double want = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    EXPECT_EQ(dot(a.data(), b.data(), n), want) << n;
    EXPECT_EQ(dot(b.data(), a.data(), n), want) << n;
  }
}

TEST(Score, SelfIsOneAndFailedIsNan) {
  EmbeddingArchive a = test::people(3, 2, 33, .5);
  test::fail_picture(a, 1);
  const Cosines c(a, "test");
  EXPECT_NEAR(c.score(0, 0), 1, 1e-15);
  EXPECT_LE(c.score(0, 0), 1);
  EXPECT_TRUE(std::isnan(c.score(0, 1)));
  EXPECT_EQ(c.score(2, 5), c.score(5, 2));
}

TEST(Score, BadEmbeddingsAreNamed) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EmbeddingArchive a = test::people(3, 2, 8, .5);
    a.embeddings[2 * 8 + 3] = bad;
    try {
      Cosines c(a, "x.emb.h5");
      FAIL() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData);
      EXPECT_NE(std::string(e.what()).find("x.emb.h5, row 2 (images/person_1/person_1_0001.jpg)"), std::string::npos) << e.what();
    }
  }
  EmbeddingArchive zero = test::people(2, 2, 8, .5);
  test::fail_picture(zero, 1);
  zero.failed[1] = 0;
  EXPECT_THROW(Cosines(zero, "x"), Error) << "a zero embedding that is not marked failed";
}

TEST(Bins, EveryScoreIsInTheBinThatHoldsIt) {
  Rng rng(4, Purpose::kTest);
  auto check = [](double s) {
    const int k = score_bin(s);
    EXPECT_LE(bin_edge(k), s);
    EXPECT_TRUE(k + 1 == kScoreBins || s < bin_edge(k + 1)) << s;
  };
  for (int i = 0; i < 10'000; ++i) check(rng.uniform(-1, 1));
  for (int k = 0; k < kScoreBins; ++k) {
    check(bin_edge(k));
    if (k > 0) check(std::nextafter(bin_edge(k), -1));
  }
  check(1), check(-1), check(-1e-300), check(1e-300);
}

void expect_same_decisions(const Curve& got, const Curve& want) {
  EXPECT_EQ(got.genuine_total, want.genuine_total);
  EXPECT_EQ(got.impostor_total, want.impostor_total);
  for (double target : {1e-4, 1e-3, 1e-2, 1e-1}) {
    const OperatingPoint a = at_fmr(got, target), b = at_fmr(want, target);
    EXPECT_EQ(a.threshold, b.threshold) << target;
    EXPECT_EQ(a.genuine_accepted, b.genuine_accepted) << target;
    EXPECT_EQ(a.impostors_accepted, b.impostors_accepted) << target;
  }
  EXPECT_EQ(equal_error_rate(got).value, equal_error_rate(want).value);
  // Between decisions the thinned curve's points are points of the complete one, where they are edges: counts agree.
  for (std::size_t p = 0; p < got.size(); p += 7) {
    EXPECT_EQ(got.genuine[p], at_threshold(want, got.threshold[p]).genuine_accepted);
    EXPECT_EQ(got.impostors[p], at_threshold(want, got.threshold[p]).impostors_accepted);
  }
}

TEST(ListedPairs, LongListsKeepOnlyWhereDecisionsFall) {
  EmbeddingArchive a = test::people(100, 4, 24, .9);
  test::fail_picture(a, 7);
  const Cosines cosines(a, "test");
  const Grouping groups = by_gender(a);
  const Decisions decisions{{1e-4, 1e-3, 1e-2, 1e-1}, {.25}, true};
  const Tally all = tally_list(cosines, every_pair(a), groups, decisions, 1), some = tally_list(cosines, every_pair(a), groups, decisions, 2, 1000);
  EXPECT_TRUE(all.complete());
  EXPECT_FALSE(some.complete());
  EXPECT_LT(some.kept.size(), all.kept.size() / 4);
  expect_same_decisions(some.pooled(), all.pooled());
  EXPECT_EQ(at_threshold(some.pooled(), .25).genuine_accepted, at_threshold(all.pooled(), .25).genuine_accepted);
}

TEST(AllPairs, TilesCountLikeSingleScores) {
  EmbeddingArchive a = test::people(170, 4, 40, .9);  // 680 pictures: two tiles a side
  test::fail_picture(a, 3);
  test::fail_picture(a, 600);
  a.attributes.columns[0].codes[10] = 0;  // unknown
  const Cosines cosines(a, "test");
  const Grouping groups = by_gender(a);
  const Tally one_by_one = tally_list(cosines, every_pair(a), groups, {}, 1);
  const Decisions decisions{{1e-4, 1e-3, 1e-2, 1e-1}, {.25}, true};
  for (int threads : {1, 3}) {
    for (std::int64_t keep_all : {std::int64_t{0}, std::int64_t{10'000'000}}) {
      const Tally tiles = tally_all_pairs(cosines, a.subjects, groups, decisions, threads, keep_all);
      EXPECT_EQ(tiles.complete(), keep_all > 0);
      expect_same_decisions(tiles.pooled(), one_by_one.pooled());
      EXPECT_EQ(at_threshold(tiles.pooled(), .25).genuine_accepted, at_threshold(one_by_one.pooled(), .25).genuine_accepted);
      for (bool genuine : {false, true}) {
        EXPECT_EQ(tiles.histogram(genuine, 128), one_by_one.histogram(genuine, 128));
        EXPECT_NEAR(tiles.moments(genuine).mean(), one_by_one.moments(genuine).mean(), 1e-6);
      }
      const double t = at_fmr(one_by_one.pooled(), 1e-3).threshold;
      for (int x = 0; x < 2; ++x) {
        const OperatingPoint got = at_threshold(tiles.between(x, x, x), t), want = at_threshold(one_by_one.between(x, x, x), t);
        EXPECT_EQ(got.impostors_accepted, want.impostors_accepted);
        EXPECT_EQ(got.genuine_accepted, want.genuine_accepted);
        EXPECT_EQ(got.impostor_total, want.impostor_total);
        EXPECT_GT(want.impostors_accepted, 0) << "the test would show nothing";
      }
      // One unordered cell of tiles holds both ordered cells of the list.
      EXPECT_EQ(tiles.cell(0, 1, false).total(), one_by_one.cell(0, 1, false).total() + one_by_one.cell(1, 0, false).total());
      const Auc tiled = auc(tiles.pooled(), tiles.complete()), exact = auc(one_by_one.pooled());
      EXPECT_LE(tiled.low, exact.value);
      EXPECT_GE(tiled.high, exact.value);
      EXPECT_LT(tiled.high - tiled.low, keep_all > 0 ? 1e-300 : 1e-3);
      EXPECT_NEAR(tiled.value, exact.value, keep_all > 0 ? 0 : 5e-4);
    }
  }
}

TEST(AllPairs, DuplicatedPicturesTieExactly) {
  // Many equal scores: a tile's f32 products of equal rows may differ in the last bit, exact scores may not.
  EmbeddingArchive a = test::people(30, 1, 24, .5);
  const EmbeddingArchive once = a;
  for (int copies = 0; copies < 19; ++copies)
    for (std::size_t i = 0; i < once.size(); ++i) {
      a.embeddings.insert(a.embeddings.end(), once.embeddings.begin() + static_cast<std::ptrdiff_t>(i * 24), once.embeddings.begin() + static_cast<std::ptrdiff_t>(i * 24 + 24));
      a.keys.push_back(once.keys[i] + std::to_string(copies));
      a.subjects.push_back(once.subjects[i]);
      a.failed.push_back(0);
      a.norms.push_back(once.norms[i]);
      a.attributes.columns[0].codes.push_back(once.attributes.columns[0].codes[i]);
    }
  const Cosines cosines(a, "test");
  const Tally tiles = tally_all_pairs(cosines, a.subjects, {}, {{1e-3, 1e-2, 1e-1}, {}, true}, 2, 0);
  expect_same_decisions(tiles.pooled(), tally_list(cosines, every_pair(a), {}, {}, 1).pooled());
}

}  // namespace
}  // namespace likeness::eval
