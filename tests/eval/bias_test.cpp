// Group rates and differentials against reference counts and against hand-checkable fixtures.
#include "eval/bias/bias.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "eval/bias/differentials.h"
#include "tests/eval/support.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

json reference() {
  std::ifstream in(test::golden("eval/fairness.json"));
  return json::parse(in);
}

void expect_optional(const std::optional<double>& got, const json& want, const std::string& what) {
  ASSERT_EQ(got.has_value(), !want.is_null()) << what;
  if (!got) return;
  EXPECT_NEAR(*got, want.get<double>(), 1e-12 * std::max(1.0, std::abs(*got))) << what;
}

void check_aggregate(const std::vector<double>& fmr, const std::vector<double>& fnmr, const json& want) {
  const Spread a = spread(fmr), b = spread(fnmr);
  expect_optional(a.max_over_min, want["max_min_fmr"], "max/min fmr");
  expect_optional(b.max_over_min, want["max_min_fnmr"], "max/min fnmr");
  expect_optional(a.max_over_geomean, want["max_geomean_fmr"], "max/geomean fmr");
  expect_optional(b.max_over_geomean, want["max_geomean_fnmr"], "max/geomean fnmr");
  expect_optional(a.gini, want["gini_fmr"], "gini fmr");
  expect_optional(b.gini, want["gini_fnmr"], "gini fnmr");
  expect_optional(a.gap, want["gap_fmr"], "gap fmr");
  expect_optional(b.gap, want["gap_fnmr"], "gap fnmr");
  for (const auto& [name, alpha] : {std::pair{"0.25", .25}, {"0.5", .5}, {"0.75", .75}}) {
    expect_optional(fairness_discrepancy_rate(a, b, alpha), want[std::string("fdr_") + name], "fdr");
    expect_optional(garbe(a, b, alpha), want[std::string("garbe_") + name], "garbe");
    expect_optional(inequity_rate(a, b, alpha), want[std::string("ir_") + name], "ir");
  }
}

TEST(Differentials, HandFixtures) {
  const json all = reference();
  for (const char* name : {"fixture", "fixture_equal", "fixture_zero"})
    check_aggregate(all[name]["fmr"], all[name]["fnmr"], all[name]["aggregate"]);
}

TEST(Differentials, WorstGroupIsTheLargestRate) {
  const std::vector<double> x = {.01, .03, .02, .03};
  EXPECT_EQ(spread(x).worst, 1u);
}

// The synthetic four-group set: 28,000 scores rounded to four decimals, so that there are ties.
struct FourGroups {
  test::Npz z{test::golden("eval/fairness_synthetic.npz")};
  std::vector<double> scores = z.at("score").as_double();
  std::vector<std::int64_t> a = z.at("group_a").as_int(), b = z.at("group_b").as_int(), same = z.at("issame").as_int();
  std::vector<ListedPair> pairs;
  Grouping grouping{4, {}};
  FourGroups() {
    // One "picture" per side of a pair, in the group that the pair says.
    for (std::size_t p = 0; p < scores.size(); ++p) {
      pairs.push_back({static_cast<std::int64_t>(2 * p), static_cast<std::int64_t>(2 * p + 1), same[p] != 0});
      grouping.of.push_back(static_cast<std::int32_t>(a[p]));
      grouping.of.push_back(static_cast<std::int32_t>(b[p]));
    }
  }
};

TEST(Groups, CountsEqualTheReferenceAtEveryThreshold) {
  const FourGroups set;
  const Tally counts = tally_scores(set.scores, set.pairs, set.grouping);
  const json want = reference()["synthetic"]["thresholds"];
  ASSERT_EQ(want.size(), 3u);
  for (const auto& [target, w] : want.items()) {
    const OperatingPoint p = at_fmr(counts.pooled(), std::stod(target));
    EXPECT_EQ(p.threshold, w["threshold"].get<double>()) << target;
    EXPECT_EQ(p.fmr(), w["pooled_fmr"].get<double>());
    EXPECT_EQ(p.fnmr(), w["pooled_fnmr"].get<double>());
    std::vector<double> fmr, fnmr;
    for (std::size_t x = 0; x < 4; ++x) {
      const int g = static_cast<int>(x);
      const OperatingPoint own = at_threshold(counts.between(g, g, g), p.threshold);
      EXPECT_EQ(own.genuine_total, w["genuine"][x].get<std::int64_t>());
      EXPECT_EQ(own.genuine_total - own.genuine_accepted, w["fnmr_errors"][x].get<std::int64_t>());
      EXPECT_EQ(own.fmr(), w["fmr"][x].get<double>());
      EXPECT_EQ(own.fnmr(), w["fnmr"][x].get<double>());
      fmr.push_back(own.fmr()), fnmr.push_back(own.fnmr());
      for (std::size_t y = 0; y < 4; ++y) {
        const OperatingPoint cross = at_threshold(counts.between(g, g, static_cast<int>(y)), p.threshold);
        EXPECT_EQ(cross.impostors_accepted, w["cross_false_matches"][x][y].get<std::int64_t>());
        EXPECT_EQ(cross.impostor_total, w["cross_impostors"][x][y].get<std::int64_t>());
      }
    }
    check_aggregate(fmr, fnmr, w["aggregate"]);
  }
}

const GroupResult& group(const Result& r, const std::string& gender) {
  for (const GroupResult& g : r.groups)
    if (!g.reference && g.where.at("gender") == gender) return g;
  throw std::runtime_error("no group " + gender);
}

TEST(Bias, AllPairsFindThePlantedDifference) {
  // Women's pictures vary more: their own pairs must miss more often, at a threshold they share.
  EmbeddingArchive a = test::people(120, 5, 32, .6, 1.1);
  for (std::size_t i = 0; i < 5; ++i) a.attributes.columns[0].codes[i] = 0;  // one person unknown
  test::fail_picture(a, 7);
  const Result r = bias(a, all_trials(SetIndex::of(a)), {.by = {"gender"}, .at = {OperatingTarget::Kind::kFmr, 1e-2}, .threads = 2});
  const GroupResult &f = group(r, "female"), &m = group(r, "male"), &u = group(r, "unknown");
  EXPECT_EQ(f.subjects, 59);
  EXPECT_EQ(m.subjects, 60);
  EXPECT_EQ(u.subjects, 1);
  EXPECT_EQ(u.metrics.at("fmr").status.support, Support::kSuppressed) << "10 pairs cannot show a rate";
  EXPECT_EQ(f.metrics.at("fnmr").denominator, 59 * 10);
  EXPECT_EQ(m.metrics.at("fmr").denominator, 300 * 299 / 2 - 60 * 10);
  EXPECT_EQ(f.metrics.at("fnmr").status.support, Support::kOk);
  EXPECT_GT(*f.metrics.at("fnmr").low, *m.metrics.at("fnmr").high);
  EXPECT_EQ(m.metrics.at("fta").numerator, 1) << "row 7 is the third picture of person 1";
  EXPECT_EQ(f.metrics.at("fta").numerator, 0);
  EXPECT_EQ(r.differentials.at("fnmr").at("worst").at("where").at("gender"), "female");
  EXPECT_EQ(r.differentials.at("fnmr").at("groups"), 2) << "the unknown enter no ratio";
  EXPECT_EQ(r.conditions.at("threshold_from").get<std::string>().find("these trials"), 0u);
  int crosses = 0;
  for (const GroupResult& g : r.groups) crosses += g.reference.has_value();
  EXPECT_EQ(crosses, 1) << "female x male, once: both sides are one set";
  EXPECT_EQ(r.curves.size(), 3u);
}

TEST(Bias, GivenThresholdIsUsedAsItIs) {
  const EmbeddingArchive a = test::people(60, 3, 32, .8);
  const Trials t = all_trials(SetIndex::of(a));
  const Result fixed = bias(a, t, {.by = {"gender"}, .at = {OperatingTarget::Kind::kThreshold, .4}});
  const Cosines c(a, "test");
  std::int64_t accepted = 0;
  for (std::int64_t i = 0; i < c.size(); ++i)
    for (std::int64_t j = i + 1; j < c.size(); ++j)
      accepted += a.subjects[static_cast<std::size_t>(i)] != a.subjects[static_cast<std::size_t>(j)] && c.score(i, j) >= .4;
  EXPECT_EQ(fixed.metrics.at("fmr@threshold").numerator, accepted);
  EXPECT_EQ(fixed.conditions.at("threshold_from"), "given");
}

TEST(Bias, IntersectionsAndManyValues) {
  EmbeddingArchive a = test::people(8, 2, 16, .5);
  AttributeColumn& race = a.attributes.column("race", a.size());
  for (std::size_t i = 0; i < a.size(); ++i) race.codes[i] = a.subjects[i] < 2 ? race.code_of("asian") | race.code_of("black") : race.code_of("asian");
  const GroupTable t = group_pictures(a, {"gender", "race"});
  ASSERT_EQ(t.names.size(), 4u);
  EXPECT_EQ(t.names[0], (Where{{"gender", "female"}, {"race", "asian"}}));
  EXPECT_EQ(t.names[1], (Where{{"gender", "female"}, {"race", "asian+black"}}));
  EXPECT_EQ(t.subjects, (std::vector<std::int64_t>{3, 1, 3, 1, 0}));
}

TEST(Bias, WrongAttributesAreNamed) {
  EmbeddingArchive a = test::people(4, 2, 16, .5);
  try {
    group_pictures(a, {"race"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("gender"), std::string::npos) << e.what();
  }
  EXPECT_THROW(group_pictures(a, {}), Error);
  for (std::uint64_t& code : a.attributes.columns[0].codes) code = 0;
  EXPECT_THROW(group_pictures(a, {"gender"}), Error) << "everybody unknown";
}

}  // namespace
}  // namespace likeness::eval
