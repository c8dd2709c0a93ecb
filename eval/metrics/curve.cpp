#include "eval/metrics/curve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace likeness::eval {
namespace {

double ratio(std::int64_t k, std::int64_t n) {
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(k) / static_cast<double>(n);
}

OperatingPoint point(const Curve& c, double threshold, std::int64_t genuine, std::int64_t impostors) {
  return {threshold, genuine, c.genuine_total, impostors, c.impostor_total};
}

}  // namespace

double OperatingPoint::fmr() const { return ratio(impostors_accepted, impostor_total); }
double OperatingPoint::fnmr() const { return ratio(genuine_total - genuine_accepted, genuine_total); }
double OperatingPoint::tar() const { return ratio(genuine_accepted, genuine_total); }

Curve make_curve(std::span<const double> scores, std::span<const std::uint8_t> genuine) {
  LIKENESS_ASSERT(scores.size() == genuine.size());
  Curve c;
  // Two sorted lists are faster to make and to merge than one list of records.
  std::vector<double> g, i;
  for (std::size_t p = 0; p < scores.size(); ++p) {
    ++(genuine[p] ? c.genuine_total : c.impostor_total);
    if (!std::isnan(scores[p])) (genuine[p] ? g : i).push_back(scores[p]);
  }
  std::sort(g.begin(), g.end(), std::greater<>());
  std::sort(i.begin(), i.end(), std::greater<>());
  std::size_t a = 0, b = 0;
  while (a < g.size() || b < i.size()) {
    const double t = a == g.size() ? i[b] : b == i.size() ? g[a] : std::max(g[a], i[b]);
    while (a < g.size() && g[a] == t) ++a;
    while (b < i.size() && i[b] == t) ++b;
    c.threshold.push_back(t);
    c.genuine.push_back(static_cast<std::int64_t>(a));
    c.impostors.push_back(static_cast<std::int64_t>(b));
  }
  return c;
}

std::int64_t error_budget(std::int64_t n, double target) {
  auto k = static_cast<std::int64_t>(std::floor(target * static_cast<double>(n)));
  k = std::clamp<std::int64_t>(k, 0, n);
  while (k < n && ratio(k + 1, n) <= target) ++k;  // the product may round to either side of a whole number
  while (k > 0 && ratio(k, n) > target) --k;
  return k;
}

OperatingPoint at_fmr(const Curve& c, double target) {
  const std::int64_t budget = error_budget(c.impostor_total, target);
  const auto over = std::upper_bound(c.impostors.begin(), c.impostors.end(), budget) - c.impostors.begin();
  const auto i = static_cast<std::size_t>(over);
  if (i == c.size()) {  // every score may be accepted
    if (c.size() == 0) return point(c, -1, 0, 0);
    return point(c, c.threshold.back(), c.genuine.back(), c.impostors.back());
  }
  const double t = std::nextafter(c.threshold[i], std::numeric_limits<double>::infinity());
  return i == 0 ? point(c, t, 0, 0) : point(c, t, c.genuine[i - 1], c.impostors[i - 1]);
}

OperatingPoint at_threshold(const Curve& c, double threshold) {
  const auto below = std::upper_bound(c.threshold.begin(), c.threshold.end(), threshold, std::greater<>());
  const auto i = static_cast<std::size_t>(below - c.threshold.begin());
  return i == 0 ? point(c, threshold, 0, 0) : point(c, threshold, c.genuine[i - 1], c.impostors[i - 1]);
}

Auc auc(const Curve& c, bool complete) {
  if (c.genuine_total == 0 || c.impostor_total == 0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan};
  }
  // Twice the number of won comparisons, and those inside a step, where ties (or an unknown order) count one half. 128 bits
  // hold the product of any two totals.
  unsigned __int128 won = 0, shared = 0;
  std::int64_t g = 0, i = 0;
  auto step = [&](std::int64_t genuine, std::int64_t impostors) {
    won += static_cast<unsigned __int128>(2 * g) * static_cast<std::uint64_t>(impostors - i);
    shared += static_cast<unsigned __int128>(genuine - g) * static_cast<std::uint64_t>(impostors - i);
    g = genuine, i = impostors;
  };
  for (std::size_t p = 0; p < c.size(); ++p) step(c.genuine[p], c.impostors[p]);
  const auto before_failed = shared;
  step(c.genuine_total, c.impostor_total);  // pairs without a face tie at the bottom
  const double all = 2.0 * static_cast<double>(c.genuine_total) * static_cast<double>(c.impostor_total);
  const double value = static_cast<double>(won + shared) / all;
  const double doubt = complete ? 0 : static_cast<double>(before_failed) / all;
  return {value, value - doubt, value + doubt};
}

Eer equal_error_rate(const Curve& c) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Eer best{nan, point(c, nan, 0, 0)};
  if (c.genuine_total == 0 || c.impostor_total == 0 || c.size() == 0) return best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t p = 0; p < c.size(); ++p) {
    const double gap = std::abs(c.fmr(p) - c.fnmr(p));
    if (gap >= least) continue;
    least = gap;
    best = {(c.fmr(p) + c.fnmr(p)) / 2, point(c, c.threshold[p], c.genuine[p], c.impostors[p])};
  }
  return best;
}

double Moments::variance(int ddof) const {
  return std::max(0.0, squares - sum * (sum / count)) / (count - ddof);
}

double d_prime(const Moments& genuine, const Moments& impostors, int ddof) {
  return std::abs(genuine.mean() - impostors.mean()) / std::sqrt((genuine.variance(ddof) + impostors.variance(ddof)) / 2);
}

std::vector<std::size_t> plot_points(const Curve& c, std::size_t wanted) {
  std::vector<std::size_t> points;
  if (c.size() == 0) return points;
  // A point is kept when it opens a new cell of a grid over (log FMR, log FNMR), each axis `wanted / 2` cells from one error
  // in the total to 1. Steps of few errors are all kept; the thousands in the dense middle are thinned.
  const double cells = static_cast<double>(std::max<std::size_t>(wanted / 2, 1));
  auto cell = [&](std::int64_t errors, std::int64_t total) -> std::int64_t {
    if (errors == 0 || total < 2) return -1;
    return std::llround(cells * (1 + std::log(static_cast<double>(errors) / static_cast<double>(total)) / std::log(static_cast<double>(total))));
  };
  std::int64_t last_fmr = -2, last_fnmr = -2;
  for (std::size_t p = 0; p < c.size(); ++p) {
    const std::int64_t fmr = cell(c.impostors[p], c.impostor_total), fnmr = cell(c.genuine_total - c.genuine[p], c.genuine_total);
    if (p != 0 && p + 1 != c.size() && fmr == last_fmr && fnmr == last_fnmr) continue;
    points.push_back(p);
    last_fmr = fmr, last_fnmr = fnmr;
  }
  return points;
}

}  // namespace likeness::eval
