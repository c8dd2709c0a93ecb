// One-sided and two-sided limits of figures whose variance was found by resampling people.
#pragma once

#include <cstdint>
#include <string>

#include "eval/metrics/rates.h"

namespace likeness::eval {

// Inverse of Student's t distribution, 0 < p < 1, by the expansion in 1/degrees (Abramowitz & Stegun 26.7.5): relative
// error below 1e-3 for 10 degrees or more and 0.005 < p < 0.995.
double student_quantile(double p, double degrees);

// A figure, or a difference of two, and how well it is known. low(alpha) and high(alpha) are one-sided limits, each
// missed with probability alpha; a two-sided interval of level L has alpha = (1 - L) / 2.
class Estimate {
 public:
  // k of n comparisons (or a mean of rates: the EER, the AUC, with n = 0: no count), `variance` by resampling S people.
  // Wilson's interval of the number of independent trials that would have this variance, n' = p (1 - p) / variance,
  // never more than n (Korn & Graubard 1998), with Student's quantile for S - 1 degrees in place of the normal. No
  // error, or nothing but errors: the people are the trials, n' = min(n, S).
  static Estimate rate(double p, std::int64_t n, double variance, std::int64_t people);

  // value = (second - first) / n, where `first` comparisons are errors of the first model only and `second` of the
  // second only. Bonett & Price (2012), one comparison added to each discordant count, at the number of independent
  // trials that would have this variance. Models that decide all n alike: the people are the trials.
  static Estimate difference(std::int64_t first, std::int64_t second, std::int64_t n, double variance,
                             std::int64_t people);

  // value +- t * standard error, for differences of figures that are not counts (EER, AUC) and for logarithms of
  // ratios.
  static Estimate plain(double value, double variance, std::int64_t people);

  double value() const { return value_; }
  double low(double alpha) const { return limit(alpha, -1); }
  double high(double alpha) const { return limit(alpha, +1); }
  Limits limits(double level) const { return {low((1 - level) / 2), high((1 - level) / 2)}; }
  std::int64_t people() const { return people_; }

  // The smallest alpha at which low(alpha) > bound: the p-value of "the truth is at most `bound`". 0.5 or more where
  // value <= bound.
  double p_above(double bound) const;
  // How many more people, in proportion to these, would bring the limit at `alpha` that is nearer to a decision to
  // `bound` if the value stayed: the half width shrinks with the root of their number. 0 where it decides already; -1
  // where a thousand times as many would not do.
  std::int64_t more_people(double bound, double alpha) const;

 private:
  enum class Shape { kRate, kPlain };
  double limit(double alpha, int side) const;

  Shape shape_ = Shape::kPlain;
  double value_ = 0, centre_ = 0;  // centre_: of the symmetric shapes
  double trials_ = 0, error_ = 0;  // n'; standard error of the symmetric shapes
  double lowest_ = -1e300, highest_ = 1e300;
  std::int64_t people_ = 0;
};

}  // namespace likeness::eval
