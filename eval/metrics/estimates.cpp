#include "eval/metrics/estimates.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace likeness::eval {
namespace {

double degrees(std::int64_t people) { return static_cast<double>(std::max<std::int64_t>(1, people - 1)); }

}  // namespace

double student_quantile(double p, double nu) {
  LIKENESS_ASSERT(nu > 0);
  const double x = normal_quantile(p), x2 = x * x;
  const double g1 = (x2 + 1) * x / 4;
  const double g2 = ((5 * x2 + 16) * x2 + 3) * x / 96;
  const double g3 = (((3 * x2 + 19) * x2 + 17) * x2 - 15) * x / 384;
  const double g4 = ((((79 * x2 + 776) * x2 + 1482) * x2 - 1920) * x2 - 945) * x / 92160;
  return x + (g1 + (g2 + (g3 + g4 / nu) / nu) / nu) / nu;
}

Estimate Estimate::rate(double p, std::int64_t n, double variance, std::int64_t people) {
  Estimate e;
  e.shape_ = Shape::kRate;
  e.value_ = p;
  e.people_ = people;
  const double spread = p * (1 - p), all = n > 0 ? static_cast<double>(n) : 1e300;
  e.trials_ =
      spread > 0 && variance > 0 ? std::min(all, spread / variance) : std::min(all, static_cast<double>(people));
  e.lowest_ = 0, e.highest_ = 1;
  return e;
}

Estimate Estimate::difference(std::int64_t first, std::int64_t second, std::int64_t n, double variance,
                              std::int64_t people) {
  LIKENESS_ASSERT(n > 0 && first >= 0 && second >= 0 && first + second <= n);
  const double all = static_cast<double>(n), b = static_cast<double>(first) / all,
               c = static_cast<double>(second) / all;
  const double independent = (b + c - (c - b) * (c - b)) / all;
  double trials = std::min(all, static_cast<double>(people));
  if (independent > 0) trials = all / std::max(1.0, variance / independent);
  const double b1 = (b * trials + 1) / (trials + 2), c1 = (c * trials + 1) / (trials + 2);
  Estimate e;
  e.value_ = c - b;
  e.people_ = people;
  e.centre_ = c1 - b1;
  // Thresholds found anew move both models even where no decision differs: never less than what resampling saw.
  e.error_ = std::sqrt(std::max(variance, (b1 + c1 - e.centre_ * e.centre_) / (trials + 2)));
  e.lowest_ = -1, e.highest_ = 1;
  return e;
}

Estimate Estimate::plain(double value, double variance, std::int64_t people) {
  Estimate e;
  e.value_ = e.centre_ = value;
  e.people_ = people;
  e.error_ = std::sqrt(variance);
  return e;
}

double Estimate::limit(double alpha, int side) const {
  const double t = student_quantile(1 - alpha, degrees(people_));
  if (shape_ == Shape::kPlain) return std::clamp(centre_ + side * t * error_, lowest_, highest_);
  const double z2 = t * t / trials_;
  const double centre = (value_ + z2 / 2) / (1 + z2);
  const double half = t / (1 + z2) * std::sqrt(value_ * (1 - value_) / trials_ + z2 / (4 * trials_));
  if ((side < 0 && value_ == 0) || (side > 0 && value_ == 1)) return value_;
  return std::clamp(centre + side * half, lowest_, highest_);
}

double Estimate::p_above(double bound) const {
  double low = 1e-6, high = 0.5;
  if (!(this->low(high) > bound)) return 0.5;
  if (this->low(low) > bound) return low;
  for (int i = 0; i < 60; ++i) (this->low((low + high) / 2) > bound ? high : low) = (low + high) / 2;
  return high;
}

std::int64_t Estimate::more_people(double bound, double alpha) const {
  if (high(alpha) <= bound || low(alpha) > bound) return 0;
  const double half = value_ <= bound ? high(alpha) - value_ : value_ - low(alpha), room = std::abs(bound - value_);
  const double factor = half / room;
  if (!(factor * factor < 1000)) return -1;
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(people_) * (factor * factor - 1)));
}

}  // namespace likeness::eval
