// Wilson, support, curves: hand-checkable fixtures (docs/evaluation.md gives the formulas).
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "eval/metrics/curve.h"
#include "eval/metrics/rates.h"

namespace likeness::eval {
namespace {

TEST(Wilson, Fixtures) {
  auto expect = [](std::int64_t k, std::int64_t n, double low, double high, double tolerance) {
    const Limits l = wilson(k, n);
    EXPECT_NEAR(l.low, low, tolerance) << k << "/" << n;
    EXPECT_NEAR(l.high, high, tolerance) << k << "/" << n;
  };
  expect(3, 3000, 3.4015e-4, 2.9361e-3, 5e-8);
  expect(6, 3000, 9.1693e-4, 4.3568e-3, 5e-8);
  expect(16, 15'638'932, 6.298e-7, 1.662e-6, 5e-10);
  expect(0, 3000, 0, 1.279e-3, 5e-7);
  expect(30, 30'000, 7.01e-4, 1.427e-3, 5e-7);
  EXPECT_EQ(wilson(0, 10).low, 0);
  EXPECT_EQ(wilson(10, 10).high, 1);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

TEST(Wilson, QuantilesOfTheNormalDistribution) {
  EXPECT_DOUBLE_EQ(normal_quantile(0.975), 1.959963984540054);
  EXPECT_DOUBLE_EQ(normal_quantile(0.5), 0);
  EXPECT_DOUBLE_EQ(normal_quantile(0.025), -normal_quantile(0.975));
  EXPECT_NEAR(normal_quantile(1e-12), -7.034483825301132, 1e-11);
}

TEST(Support, FollowsTheRuleOfThirty) {
  EXPECT_EQ(support_of_target(999, 1e-3, "pairs").support, Support::kSuppressed);
  EXPECT_EQ(support_of_target(1000, 1e-3, "pairs").support, Support::kProvisional);
  EXPECT_EQ(support_of_target(29'999, 1e-3, "pairs").support, Support::kProvisional);
  EXPECT_EQ(support_of_target(30'000, 1e-3, "pairs").support, Support::kOk);
  EXPECT_EQ(support_of_counts(0, 100, "pairs").support, Support::kProvisional);
  EXPECT_EQ(support_of_counts(29, 1000, "pairs").support, Support::kProvisional);
  EXPECT_EQ(support_of_counts(30, 1000, "pairs").support, Support::kOk);
  EXPECT_EQ(support_of_counts(990, 1000, "pairs").support, Support::kProvisional) << "non-errors count as well";
  EXPECT_EQ(support_of_counts(0, 0, "pairs").support, Support::kSuppressed);
  EXPECT_EQ(support_of_subjects(49).support, Support::kProvisional);
  EXPECT_EQ(support_of_subjects(50).support, Support::kOk);
  EXPECT_EQ(weaker(support_of_subjects(3), support_of_target(10, 1e-3, "pairs")).support, Support::kSuppressed);
  EXPECT_TRUE(support_of_counts(30, 1000, "pairs").why.empty());
  EXPECT_NE(support_of_target(999, 1e-3, "impostor pairs").why.find("999 impostor pairs"), std::string::npos);
}

const std::vector<double> kGenuine = {.82, .74, .61, .55, .31};
const std::vector<double> kImpostors = {.58, .40, .31, .22, .10, .05, -.02, -.08, -.15, -.20};

struct Scores {
  std::vector<double> scores;
  std::vector<std::uint8_t> genuine;
};
Scores fixture() {
  Scores s;
  for (double x : kGenuine) s.scores.push_back(x), s.genuine.push_back(1);
  for (double x : kImpostors) s.scores.push_back(x), s.genuine.push_back(0);
  return s;
}

TEST(Curve, HandFixture) {
  const Scores s = fixture();
  const Curve c = make_curve(s.scores, s.genuine);
  EXPECT_EQ(c.size(), 14u) << "the two scores of .31 are one point";
  EXPECT_DOUBLE_EQ(auc(c).value, .930);
  const Eer eer = equal_error_rate(c);
  EXPECT_DOUBLE_EQ(eer.value, .20);
  EXPECT_DOUBLE_EQ(eer.at.threshold, .40);
  Moments g, i;
  for (double x : kGenuine) g.add(x);
  for (double x : kImpostors) i.add(x);
  EXPECT_NEAR(d_prime(g, i), 2.305176, 5e-7);
  EXPECT_NEAR(d_prime(g, i, 1), 2.140678, 5e-7);
}

TEST(Curve, LargestTarWithFmrAtMostTarget) {
  const Scores s = fixture();
  const Curve c = make_curve(s.scores, s.genuine);
  for (double target : {.10, .15}) {
    const OperatingPoint p = at_fmr(c, target);
    EXPECT_EQ(p.genuine_accepted, 4);
    EXPECT_EQ(p.impostors_accepted, 1);
    EXPECT_DOUBLE_EQ(p.tar(), .8);
    EXPECT_EQ(p.threshold, std::nextafter(.40, 1.0)) << "the smallest double that keeps .40 out";
  }
  const OperatingPoint none = at_fmr(c, 0);
  EXPECT_EQ(none.genuine_accepted, 3);
  EXPECT_EQ(none.threshold, std::nextafter(.58, 1.0));
  EXPECT_EQ(at_fmr(c, 1).impostors_accepted, 10);
  EXPECT_EQ(at_fmr(c, 1).threshold, -.20);
  EXPECT_EQ(at_threshold(c, .31).impostors_accepted, 3) << "accept iff s >= t";
  EXPECT_EQ(at_threshold(c, std::nextafter(.31, 1.0)).impostors_accepted, 2);
  EXPECT_EQ(at_threshold(c, .9).genuine_accepted, 0);
}

TEST(Curve, BudgetIsExactWhereTheProductIsNot) {
  EXPECT_EQ(error_budget(3000, 1e-3), 3);
  EXPECT_EQ(error_budget(10, 0.3), 3);       // 10 * 0.3 = 3.0000000000000004 or 2.9999…: either way 3 / 10 <= 0.3
  EXPECT_EQ(error_budget(1000, 0.029), 29);  // 1000 * 0.029 = 28.999999999999996
  EXPECT_EQ(error_budget(100, 0.999), 99);
  EXPECT_EQ(error_budget(0, 0.5), 0);
}

TEST(Curve, TiesAndFailures) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> s = {.5, .5, .5, .5, nan, nan};
  const std::vector<std::uint8_t> g = {1, 1, 0, 0, 1, 0};
  const Curve c = make_curve(s, g);
  ASSERT_EQ(c.size(), 1u);
  EXPECT_EQ(c.genuine_total, 3);
  EXPECT_EQ(c.genuine[0], 2);
  // Won: 2 genuine against the failed impostor; ties: 2 x 2 at .5, 1 x 1 among the failed.
  EXPECT_DOUBLE_EQ(auc(c).value, (2 + .5 * 4 + .5) / 9);
  const OperatingPoint p = at_fmr(c, .5);
  EXPECT_EQ(p.genuine_accepted, 0) << "equal scores cannot be told apart: 2 of 3 impostors are too many";
  EXPECT_EQ(p.threshold, std::nextafter(.5, 1.0));
  EXPECT_DOUBLE_EQ(at_threshold(c, -1).fnmr(), 1. / 3) << "a failed picture is never accepted";
}

TEST(Curve, OneClassIsUndefinedNotWrong) {
  const Curve c = make_curve(std::vector<double>{.1, .2}, std::vector<std::uint8_t>{1, 1});
  EXPECT_TRUE(std::isnan(auc(c).value));
  EXPECT_TRUE(std::isnan(equal_error_rate(c).value));
  EXPECT_TRUE(std::isnan(at_threshold(c, 0).fmr()));
  EXPECT_EQ(make_curve({}, {}).size(), 0u);
}

TEST(Curve, PlotPointsAreRealPointsWithBothEnds) {
  std::vector<double> s;
  std::vector<std::uint8_t> g;
  for (int i = 0; i < 20'000; ++i) s.push_back(std::sin(i * .7) * .5 + (i % 3 == 0 ? .3 : 0)), g.push_back(i % 3 == 0);
  const Curve c = make_curve(s, g);
  const auto points = plot_points(c, 160);
  EXPECT_LT(points.size(), 400u);
  EXPECT_GT(points.size(), 50u);
  EXPECT_EQ(points.front(), 0u);
  EXPECT_EQ(points.back(), c.size() - 1);
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
}

}  // namespace
}  // namespace likeness::eval
