// The error trade-off of a set of comparisons, as exact counts: a pair is accepted iff its score s >= t.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace likeness::eval {

// Counts at falling thresholds. At point i, `genuine[i]` genuine and `impostors[i]` impostor pairs have s >= threshold[i];
// between two points nothing is said, so a curve made from all distinct scores is complete, and one made from a histogram is
// exact at its edges. Pairs whose picture gave no face count in the totals and are never accepted.
struct Curve {
  std::vector<double> threshold;       // strictly falling, finite
  std::vector<std::int64_t> genuine;   // rising
  std::vector<std::int64_t> impostors;
  std::int64_t genuine_total = 0, impostor_total = 0;

  std::size_t size() const { return threshold.size(); }
  double fmr(std::size_t i) const { return static_cast<double>(impostors[i]) / static_cast<double>(impostor_total); }
  double fnmr(std::size_t i) const {
    return static_cast<double>(genuine_total - genuine[i]) / static_cast<double>(genuine_total);
  }
};

// The complete curve of P scores; equal scores are one point. NaN: a side failed to acquire.
Curve make_curve(std::span<const double> scores, std::span<const std::uint8_t> genuine);

// What happens at one threshold.
struct OperatingPoint {
  double threshold = 0;
  std::int64_t genuine_accepted = 0, genuine_total = 0;
  std::int64_t impostors_accepted = 0, impostor_total = 0;
  double fmr() const;   // NaN without impostors
  double fnmr() const;  // NaN without genuine pairs
  double tar() const;
};

// The largest true accept rate with FMR <= target: t is the smallest double that keeps FMR within the target, that is the
// next double above the impostor score that would exceed it. The curve must hold every impostor score there.
OperatingPoint at_fmr(const Curve& curve, double target);
// Largest k with k / n <= target, compared in double as the rate will be.
std::int64_t error_budget(std::int64_t n, double target);

// Counts at a given threshold. The curve must be complete around it.
OperatingPoint at_threshold(const Curve& curve, double threshold);

// Area under the ROC: P(g > i) + P(g = i) / 2 (Mann-Whitney), from integers. For a curve that is not complete, low and high
// are what any order inside its steps could give; value is their middle. Complete curves have low = value = high.
struct Auc {
  double value = 0, low = 0, high = 0;
};
Auc auc(const Curve& curve, bool complete = true);

// Equal error rate: the point that minimises |FMR - FNMR| (the highest such threshold), its value the mean of both rates.
struct Eer {
  double value = 0;
  OperatingPoint at;
};
Eer equal_error_rate(const Curve& curve);

// First two moments of genuine and impostor scores, enough for d'.
struct Moments {
  double count = 0, sum = 0, squares = 0;
  void add(double x) { count += 1, sum += x, squares += x * x; }
  void add(const Moments& o) { count += o.count, sum += o.sum, squares += o.squares; }
  double mean() const { return sum / count; }
  double variance(int ddof = 0) const;
};
// d' = |mean_g - mean_i| / sqrt((var_g + var_i) / 2). ddof 0 (population) unless said. NaN when undefined.
double d_prime(const Moments& genuine, const Moments& impostors, int ddof = 0);

// Indices of at most about `wanted` points that show the curve on logarithmic FMR and FNMR axes: real points of the curve,
// never interpolated, both ends included, rising.
std::vector<std::size_t> plot_points(const Curve& curve, std::size_t wanted);

}  // namespace likeness::eval
