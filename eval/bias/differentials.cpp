#include "eval/bias/differentials.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace likeness::eval {

Spread spread(std::span<const double> x) {
  LIKENESS_ASSERT(x.size() >= 2);
  const double n = static_cast<double>(x.size());
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  Spread s;
  s.gap = *most - *least;
  s.worst = static_cast<std::size_t>(std::max_element(x.begin(), x.end()) - x.begin());
  double sum = 0, logs = 0, differences = 0;
  for (double a : x) {
    sum += a;
    if (a > 0) logs += std::log(a);
    for (double b : x) differences += std::abs(a - b);
  }
  if (*least > 0) {
    s.max_over_min = *most / *least;
    s.max_over_geomean = *most / std::exp(logs / n);
  }
  if (sum > 0) s.gini = n / (n - 1) * differences / (2 * n * n * (sum / n));
  return s;
}

double fairness_discrepancy_rate(const Spread& fmr, const Spread& fnmr, double alpha) {
  return 1 - (alpha * fmr.gap + (1 - alpha) * fnmr.gap);
}

double garbe(const Spread& fmr, const Spread& fnmr, double alpha) { return alpha * fmr.gini + (1 - alpha) * fnmr.gini; }

std::optional<double> inequity_rate(const Spread& fmr, const Spread& fnmr, double alpha) {
  if (!fmr.max_over_min || !fnmr.max_over_min) return std::nullopt;
  return std::pow(*fmr.max_over_min, alpha) * std::pow(*fnmr.max_over_min, 1 - alpha);
}

}  // namespace likeness::eval
