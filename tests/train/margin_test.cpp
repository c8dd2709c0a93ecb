// The margins as pure functions: reference logits, derivatives, monotony, the ends of the range.
#include "train/head/margin.h"

#include <gtest/gtest.h>

#include <numbers>

#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::train {
namespace {

constexpr double kPi = std::numbers::pi;

constexpr double kScale = 64;

Margin arcface(double m, PastPi past = PastPi::kLinear) { return {.m2 = m, .past_pi = past}; }
Margin cosface(double m) { return {.m3 = m}; }

void expect_logits(const std::string& name, const Margin& margin) {
  const test::Npz heads(test::golden("heads.npz"));
  for (const std::string set : {"regular", "extreme"}) {
    const auto cosines = heads.at("at." + name + "." + set + ".cosines").as_double();
    const auto logits = heads.at("at." + name + "." + set + ".logits").as_double();
    const auto labels = heads.at(set + ".labels").as_int();
    const std::size_t classes = cosines.size() / labels.size();
    for (std::size_t b = 0; b < labels.size(); ++b)
      for (std::size_t j = 0; j < classes; ++j) {
        const double c = cosines[b * classes + j];
        const double value = static_cast<std::size_t>(labels[b]) == j ? apply_margin(c, margin).value : c;
        EXPECT_NEAR(kScale * value, logits[b * classes + j], 1e-12 * kScale)
            << name << " " << set << " " << b << " " << j;
      }
  }
}

TEST(Margin, LogitsEqualTheReferences) {
  expect_logits("cosface", cosface(.4));
  expect_logits("arcface", arcface(.5, PastPi::kContinue));
  expect_logits("arcface_2022_exact", arcface(.5));
}

TEST(Margin, SlopesAreTheDerivatives) {
  const Margin margins[] = {cosface(.35),
                            arcface(.5),
                            arcface(.5, PastPi::kContinue),
                            arcface(.5, PastPi::kMirror),
                            {.m1 = 1.35, .m2 = .3, .m3 = .2, .past_pi = PastPi::kMirror},
                            {.m1 = 4, .m2 = 0, .m3 = 0, .past_pi = PastPi::kMirror},
                            {.m1 = 2, .m2 = .1, .m3 = 0, .past_pi = PastPi::kContinue}};
  for (const Margin& m : margins)
    for (double angle = .02; angle < kPi - .02; angle += .0313) {
      const double h = 1e-6, c = std::cos(angle);
      const double a = apply_margin(c - h, m).value, b = apply_margin(c + h, m).value;
      if (std::abs(b - a) > 1e-2) continue;  // the linear rule jumps once, at pi
      EXPECT_NEAR(apply_margin(c, m).slope, (b - a) / (2 * h), 2e-4 * (1 + std::abs(b - a) / (2 * h)))
          << m.m1 << " " << m.m2 << " at angle " << angle;
    }
}

TEST(Margin, EasyHasNoMarginWhereTheCosineIsNotPositive) {
  for (double c : {-1.0, -.95, -.2, 0.0}) {
    const auto p = apply_margin(c, arcface(.5, PastPi::kEasy));
    EXPECT_EQ(p.value, c);
    EXPECT_EQ(p.slope, 1);
  }
  for (double c : {.01, .5, 1.0})
    EXPECT_EQ(apply_margin(c, arcface(.5, PastPi::kEasy)).value, apply_margin(c, arcface(.5)).value);
}

TEST(Margin, MonotoneRulesNeverReward_MovingAway) {
  for (const Margin& m :
       {arcface(.5), arcface(.5, PastPi::kMirror), Margin{.m1 = 1.5, .m2 = .3, .m3 = .1, .past_pi = PastPi::kMirror}}) {
    double last = apply_margin(-1.0, m).value;
    for (double c = -.999; c <= 1; c += .001) {
      const double value = apply_margin(c, m).value;
      EXPECT_GE(value, last - 1e-12) << "at cosine " << c;
      last = value;
    }
  }
  // The reference's current rule does, past pi: research note and the arrays say so.
  const Margin reference = arcface(.5, PastPi::kContinue);
  EXPECT_GT(apply_margin(-.99, reference).value, apply_margin(-.9, reference).value);
}

TEST(Margin, CombinedCountsAllThreeAndFallsBackToItsParts) {
  const double c = .3, angle = std::acos(c);
  EXPECT_NEAR(apply_margin(c, Margin{.m1 = 1.2, .m2 = .3, .m3 = .2, .past_pi = PastPi::kMirror}).value,
              std::cos(1.2 * angle + .3) - .2, 1e-15);
  EXPECT_NEAR(apply_margin(c, Margin{.m1 = 1, .m2 = .3, .m3 = .2}).value, std::cos(angle + .3) - .2, 1e-15);
  // SphereFace's psi for m = 4 (Liu et al., CVPR 2017): continuous, from 1 down to 1 - 2m.
  const Margin sphere{.m1 = 4, .past_pi = PastPi::kMirror};
  EXPECT_NEAR(apply_margin(1.0, sphere).value, 1, 1e-12);
  EXPECT_NEAR(apply_margin(-1 + 1e-14, sphere).value, -7, 1e-6);
}

template <typename T>
void expect_finite_at_the_ends() {
  for (const Margin& m : {cosface(.4), arcface(.5), Margin{.m1 = 1.35, .m2 = .3, .m3 = .1, .past_pi = PastPi::kMirror}})
    for (T c : {T(-1), std::nextafter(T(-1), T(0)), std::nextafter(T(1), T(0)), T(1)}) {
      const auto p = apply_margin(c, m);
      EXPECT_TRUE(std::isfinite(p.value) && std::isfinite(p.slope)) << c;
    }
}
TEST(Margin, FiniteAtCosinePlusMinusOne) {
  expect_finite_at_the_ends<double>();
  expect_finite_at_the_ends<float>();
}

}  // namespace
}  // namespace likeness::train
