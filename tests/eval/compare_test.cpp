// Two models over the same comparisons.
#include "eval/compare.h"

#include <gtest/gtest.h>

#include "tests/eval/simulate.h"
#include "tests/support/errors.h"

namespace likeness::eval {
namespace {

const CompareOptions kQuick{.at = {{OperatingTarget::Kind::kFmr, 1e-1},
                                   {OperatingTarget::Kind::kFmr, 1e-2},
                                   {OperatingTarget::Kind::kThreshold, .2}},
                            .by = {},
                            .level = .95,
                            .bootstrap = {.replicates = 300}};
const test::World kWorld{.subjects = 150, .genuine = 4, .separation = 3};

const Change& find(const Comparison& c, const std::string& metric, const Where& where = {}) {
  for (const Change& x : c.changes)
    if (x.metric == metric && x.where == where) return x;
  throw std::runtime_error("no " + metric);
}

TEST(Compare, McNemar) {
  EXPECT_NEAR(mcnemar_exact(4, 12), .0768, 5e-5);
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_NEAR(mcnemar_exact(0, 10), 2 / 1024., 1e-12);
}

TEST(Compare, AModelIsNoBetterThanItself) {
  const ScoreArchive a = test::simulate(kWorld, 1);
  const Comparison c = compare(a, a, "a", "a", kQuick);
  for (const Change& x : c.changes) {
    EXPECT_EQ(x.figure.loss.value(), 0) << x.metric;
    EXPECT_EQ(x.verdict, "no difference shown") << x.metric;
  }
  // All decide alike on 150 people: a change of fewer than about three in a hundred could not have been seen.
  EXPECT_GT(find(c, "fnmr@fmr=1e-2").margin, .01);
}

TEST(Compare, FindsTheBetterModel) {
  const ScoreArchive a = test::simulate(kWorld, 1), b = test::simulate(kWorld, 1, 1, .9, .6);
  const Comparison c = compare(a, b, "a", "b", kQuick), turned = compare(b, a, "b", "a", kQuick);
  for (const char* metric : {"fnmr@fmr=1e-2", "eer", "auc", "fnmr@threshold=0.2"}) {
    EXPECT_EQ(find(c, metric).verdict, "better") << metric;
    EXPECT_EQ(find(turned, metric).verdict, "worse") << metric;
  }
  const Change& f = find(c, "fnmr@fmr=1e-2");
  EXPECT_LT(f.difference.high, 0) << "in the metric's own direction";
  EXPECT_GT(find(c, "auc").difference.low, 0);
  EXPECT_EQ(f.figure.only_a_wrong - f.figure.only_b_wrong, std::llround((f.figure.a - f.figure.b) * 600));
  EXPECT_NEAR(f.margin, (f.difference.high - f.difference.low) / 2, 1e-12);
  EXPECT_NE(c.to_text().find("B better"), std::string::npos) << c.to_text();
  EXPECT_NE(turned.to_text().find("B worse"), std::string::npos) << turned.to_text();
}

TEST(Compare, PairingSharpensTheDifference) {
  const ScoreArchive a = test::simulate(kWorld, 2), b = test::simulate(kWorld, 2, 1, .95, .2);
  const GroupedScores x = group_scores(a, {}), y = group_scores(b, {});
  const Figure f{Figure::Kind::kFnmr, Figure::At::kFmrTarget, 1e-2};
  const double paired = replicate_variance(
      differences(bootstrap(x.table, {f}, {{}}, {500, 1, 0})[0], bootstrap(y.table, {f}, {{}}, {500, 1, 0})[0]), 150);
  const double apart = replicate_variance(
      differences(bootstrap(x.table, {f}, {{}}, {500, 1, 0})[0], bootstrap(y.table, {f}, {{}}, {500, 2, 0})[0]), 150);
  EXPECT_LT(paired, .5 * apart);
}

TEST(Compare, ByGroup) {
  CompareOptions options = kQuick;
  options.by = {"gender"};
  const ScoreArchive a = test::simulate(kWorld, 3);
  ScoreArchive b = a;
  for (std::size_t p = 0; p < b.size(); ++p)  // women's genuine scores fall
    if (b.genuine[p] && b.subject_a[p] % 2 == 0) b.scores[p] -= .12;
  const Comparison c = compare(a, b, "a", "b", options);
  EXPECT_EQ(find(c, "fnmr@fmr=1e-2", {{"gender", "female"}}).verdict, "worse");
  EXPECT_EQ(find(c, "fnmr@fmr=1e-2", {{"gender", "male"}}).figure.loss.value(), 0);
  EXPECT_EQ(find(c, "fnmr@fmr=1e-2", {{"gender", "male"}}).figure.basis_a.comparisons, 300);
  EXPECT_EQ(find(c, "fmr@fmr=1e-1", {{"gender", "male"}}).figure.basis_a.comparisons, 75 * 74 / 2);
  options.by = {"age"};
  EXPECT_NE(test::refusal([&] { compare(a, b, "a", "b", options); }, ErrorKind::kUsage).find("gender"),
            std::string::npos);
}

TEST(Compare, JsonHoldsWhatTheTextSays) {
  const Comparison c = compare(test::simulate(kWorld, 1), test::simulate(kWorld, 1, 1), "old", "new", kQuick);
  const nlohmann::json j = c.to_json();
  EXPECT_EQ(j.at("schema"), "likeness.comparison/1");
  EXPECT_EQ(j.at("data").at("people"), 150);
  EXPECT_EQ(j.at("changes").size(), c.changes.size());
  EXPECT_EQ(j.at("changes")[0].at("interval").at("method"), "subject-bootstrap");
  EXPECT_EQ(j.at("changes")[0].at("verdict"), c.changes[0].verdict);
}

TEST(Compare, RefusesOtherTrials) {
  const ScoreArchive a = test::simulate(kWorld, 1);
  ScoreArchive b = a;
  b.trial_digest = "00000000000000000000000000000002";
  EXPECT_EQ(test::error_of([&] { compare(a, b, "a", "b", kQuick); }).kind(), ErrorKind::kData);
  b = a;
  b.genuine[0] = 0;
  EXPECT_EQ(test::error_of([&] { compare(a, b, "a", "b", kQuick); }).kind(), ErrorKind::kData);
  // Another key hides the same people behind other names, in another order.
  b = test::simulate(kWorld, 1, 1);
  ScoreArchive renamed = b;
  const auto last = static_cast<std::int64_t>(b.subject_ids.size()) - 1;
  for (auto* side : {&renamed.subject_a, &renamed.subject_b})
    for (std::int64_t& s : *side) s = last - s;
  EXPECT_EQ(compare(a, b, "a", "b", kQuick).to_json(), compare(a, renamed, "a", "b", kQuick).to_json());
}

// 95 % intervals of a paired difference, small (the long version stands behind the label `statistics`).
TEST(Compare, IntervalsHoldTheTrueDifference) {
  const test::World world{.subjects = 100, .genuine = 5, .separation = 3};
  const double t = world.threshold(.02), truth = world.fnmr(t + .02) - world.fnmr(t);
  int held = 0, sets = 120;
  for (int s = 0; s < sets; ++s) {
    const GroupedScores a = group_scores(test::simulate(world, static_cast<std::uint64_t>(s)), {});
    const GroupedScores b = group_scores(test::simulate(world, static_cast<std::uint64_t>(s), 1, .8, -.2), {});
    const Limits l = pair_figures(a, b, {{Figure::Kind::kFnmr, Figure::At::kFmrTarget, .02}},
                                  {150, static_cast<std::uint64_t>(s), 0})[0]
                         .loss.limits(.95);
    held += l.low <= truth && truth <= l.high;
  }
  std::printf("paired difference covered in %d of %d sets\n", held, sets);
  EXPECT_NEAR(static_cast<double>(held) / sets, .95, 4 * std::sqrt(.95 * .05 / sets));
}

}  // namespace
}  // namespace likeness::eval
