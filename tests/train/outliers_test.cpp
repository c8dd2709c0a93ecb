// Outliers by the modified z-score: by hand, on series with a trend, and in the log of a run.
#include "train/outliers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"

namespace likeness::train {
namespace {

std::vector<std::int64_t> found(const std::vector<double>& series, OutlierOptions options = {}) {
  OutlierWatch watch("loss", options);
  std::vector<std::int64_t> steps;
  for (std::size_t i = 0; i < series.size(); ++i)
    if (watch.add(static_cast<std::int64_t>(i), series[i])) steps.push_back(static_cast<std::int64_t>(i));
  return steps;
}

// A loss that falls from 20 to 2, with noise.
std::vector<double> falling(int n) {
  std::vector<double> series;
  Rng rng(5, Purpose::kTest, 0, 0);
  for (int i = 0; i < n; ++i) series.push_back(2 + 18 * std::exp(-i / 150.) + .3 * rng.normal());
  return series;
}

TEST(RobustScore, IsTheFormula) {
  const std::vector<double> odd = {4, 1, 2, 100, 3};  // median 3, distances 1 2 1 97 0: MAD 1
  EXPECT_DOUBLE_EQ(robust_score(odd, 10).z, .6745 * 7);
  EXPECT_DOUBLE_EQ(robust_score(odd, 1).z, -.6745 * 2);
  EXPECT_EQ(robust_score(odd, 10).median, 3);
  const std::vector<double> even = {1, 2, 4, 8};  // median 3, distances 2 1 1 5: MAD 1.5
  EXPECT_DOUBLE_EQ(robust_score(even, 6).z, .6745 * 3 / 1.5);
  const std::vector<double> still = {50, 50, 50};  // MAD counts as 0.5
  EXPECT_DOUBLE_EQ(robust_score(still, 51).z, .6745 * 2);
  const std::vector<double> nothing = {0, 0};
  EXPECT_EQ(robust_score(nothing, 0).z, 0);
  EXPECT_EQ(robust_score(nothing, 1).z, std::numeric_limits<double>::infinity());
}

TEST(OutlierWatch, FindsWhatWasPlantedAndNothingElse) {
  std::vector<double> series = falling(1000);
  EXPECT_TRUE(found(series).empty());
  series[400] += 6, series[401] += 6, series[900] += 4;
  EXPECT_EQ(found(series), (std::vector<std::int64_t>{400, 401, 900}));
  EXPECT_TRUE(found(series, {.z = 0}).empty());
  EXPECT_TRUE(found(series, {.z = 1e3}).empty());
}

TEST(OutlierWatch, SaysWhatItSaw) {
  OutlierWatch watch("gradient_norm", {.z = 6, .window = 8});
  const double usual[] = {1, 3, 2, 1, 3, 2, 1, 3};  // median 2, MAD 1
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(watch.add(i, usual[i])) << i;
  const auto o = watch.add(8, 21);
  ASSERT_TRUE(o);
  EXPECT_EQ(o->metric, "gradient_norm");
  EXPECT_EQ(o->step, 8);
  EXPECT_EQ(o->value, 21);
  EXPECT_EQ(o->median, 2);
  EXPECT_DOUBLE_EQ(o->z, .6745 * 19);
}

TEST(OutlierWatch, AnOutlierInWords) {
  const Outlier o{.step = 412, .metric = "loss", .value = 9.25, .z = 8.125, .median = 4};
  EXPECT_EQ(describe(o, {"a", "b"}), "step 412 stands out: loss 9.25 where 4 is usual, z 8.12; a, b");
  const std::string many = describe(o, std::vector<std::string>(64, "p"));
  EXPECT_TRUE(many.ends_with("; p, p, p, p, p, p, p, p, … (64 pictures)")) << many;
}

TEST(OutlierWatch, WaitsForAQuarterOfItsWindow) {
  for (const int seen : {31, 32}) {
    std::vector<double> series(static_cast<std::size_t>(seen), 1.);
    series.push_back(100);
    EXPECT_EQ(found(series).empty(), seen < 32) << seen;
  }
}

TEST(OutlierWatch, FallsDoNotCountAndNewLevelsBecomeNormal) {
  std::vector<double> series = falling(300);
  series[250] = 0;
  EXPECT_TRUE(found(series).empty());
  for (int i = 0; i < 200; ++i) series.push_back(30 + .3 * std::sin(i));
  const auto steps = found(series);
  EXPECT_EQ(steps.front(), 300);
  EXPECT_LT(steps.back(), 300 + 128);
}

TEST(OutlierWatch, NumbersThatAreNoneLeaveNoTrace) {
  std::vector<double> series = falling(1000);
  series[900] += 4;
  std::vector<double> with = series;
  with.insert(with.begin() + 100, {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()});
  EXPECT_EQ(found(series), (std::vector<std::int64_t>{900}));
  EXPECT_EQ(found(with), (std::vector<std::int64_t>{902}));
}

}  // namespace
}  // namespace likeness::train
