// Learning rates equal those the references used, step by step.
#include "train/optim/schedule.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/paths.h"

namespace likeness::train {
namespace {

constexpr double kTolerance = 1e-15;

nlohmann::json goldens() {
  std::ifstream in(test::golden("lr.json"));
  return nlohmann::json::parse(in);
}

// Compares the first `steps` rates (0: all of them).
void expect_rates(const std::string& name, const Schedule& schedule, std::size_t steps = 0) {
  const nlohmann::json reference = goldens().at(name);
  const std::vector<double> rates = reference.at("lr_used_at_step");
  const double base = reference.at("base_lr");
  const std::size_t n = steps > 0 ? steps : rates.size();
  for (std::size_t t = 0; t < n; ++t)
    EXPECT_NEAR(base * schedule_factor(schedule, static_cast<std::int64_t>(t)), rates[t], kTolerance)
        << name << ", step " << t;
}

Schedule polynomial(std::int64_t total, std::int64_t warmup, double power) {
  return {.kind = ScheduleKind::kPolynomial, .total = total, .warmup = warmup, .power = power, .insightface = true};
}

TEST(Schedule, PolynomialEqualsArcfaceTorchIncludingItsFirstStepAndItsEnd) {
  expect_rates("poly_w10_t100_p1", polynomial(100, 10, 1));
  expect_rates("poly_w0_t100_p1", polynomial(100, 0, 1));
  expect_rates("poly_w10_t100_p2", polynomial(100, 10, 2));
  expect_rates("poly_w0_t100_p2", polynomial(100, 0, 2));
  expect_rates("poly_w1_t20_p1", polynomial(20, 1, 1));
}

TEST(Schedule, TheFactorServesEveryGroupsOwnBaseRate) {
  const nlohmann::json reference = goldens().at("poly_two_groups_w5_t20");
  const std::vector<double> base = reference.at("base_lr");
  const auto& rates = reference.at("lr_used_at_step");
  for (std::size_t t = 0; t < rates.size(); ++t)
    for (std::size_t g = 0; g < 2; ++g)
      EXPECT_NEAR(base[g] * schedule_factor(polynomial(20, 5, 1), static_cast<std::int64_t>(t)),
                  rates[t][g].get<double>(), kTolerance);
}

TEST(Schedule, WithoutTheQuirkTheWarmUpBeginsLow) {
  Schedule s = polynomial(100, 10, 1);
  s.insightface = false;
  EXPECT_DOUBLE_EQ(schedule_factor(s, 0), s.warmup_start);
  for (int t = 1; t <= 10; ++t) EXPECT_GT(schedule_factor(s, t), schedule_factor(s, t - 1));
  EXPECT_DOUBLE_EQ(schedule_factor(s, 10), 1);
  EXPECT_EQ(schedule_factor(s, 100), 0);
}

TEST(Schedule, StepEqualsTorch) {
  Schedule s{.kind = ScheduleKind::kStep, .total = 100, .milestones = {12, 20, 24}, .gamma = .1};
  expect_rates("multistep_adaface", s);
  s.milestones = {30, 60, 90, 120};
  expect_rates("step_30", s);
}

TEST(Schedule, CosineEqualsTorchAndStaysAtItsEnd) {
  const Schedule s{.kind = ScheduleKind::kCosine, .total = 100, .final = 1e-5 / .1};
  expect_rates("cosine_100", s, 101);
  EXPECT_DOUBLE_EQ(schedule_factor(s, 105), 1e-5 / .1);  // torch's rises again
}

TEST(Schedule, LinearWarmUpThenCosineEqualsTorch) {
  expect_rates("linear_warmup_10_cosine_90",
               {.kind = ScheduleKind::kCosine, .total = 100, .warmup = 10, .warmup_start = 1e-3, .final = 0}, 100);
}

TEST(Schedule, AWarmUpAsLongAsTheRunIsDefined) {  // ZeroDivisionError in the reference
  EXPECT_EQ(goldens().at("poly_w20_t20_p1").count("error"), 1u);
  for (int t = 0; t < 20; ++t) EXPECT_LE(schedule_factor(polynomial(20, 20, 1), t), 1);
  EXPECT_EQ(schedule_factor(polynomial(20, 20, 1), 20), 0);
}

}  // namespace
}  // namespace likeness::train
