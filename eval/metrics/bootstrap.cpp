#include "eval/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/rng.h"
#include "core/thread_pool.h"

namespace likeness::eval {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A table counted under weights: sums over the first k comparisons of each sorted list.
class Weighted {
 public:
  explicit Weighted(const SubjectTable& table)
      : t_(table), genuine_(table.genuine_of.size() + 1), impostors_(table.impostor_a.size() + 1) {}

  // weights: [S + 1], the last is 1: the second "person" of a comparison within one.
  void count(const std::vector<std::int32_t>& weights) {
    auto w = [&](std::int32_t s) { return static_cast<std::int64_t>(weights[static_cast<std::size_t>(s)]); };
    for (std::size_t k = 0; k < t_.genuine_of.size(); ++k) genuine_[k + 1] = genuine_[k] + w(t_.genuine_of[k]);
    for (std::size_t k = 0; k < t_.impostor_a.size(); ++k)
      impostors_[k + 1] = impostors_[k] + w(t_.impostor_a[k]) * w(t_.impostor_b[k]);
  }

  // Rates when the first `points` points of the curve are accepted.
  double fmr(std::size_t points, double share) const {
    const std::int64_t k = points == 0 ? 0 : t_.curve.impostors[points - 1];
    if (impostors_.back() == 0) return kNan;
    const double sample = static_cast<double>(k) / static_cast<double>(t_.impostor_total());
    const double drawn =
        static_cast<double>(impostors_[static_cast<std::size_t>(k)]) / static_cast<double>(impostors_.back());
    // At share 1 the drawn rate itself, so that a sample whose weights are all one is reproduced to the last bit.
    return share == 1 ? drawn : (1 - share) * sample + share * drawn;
  }
  double fnmr(std::size_t points) const {
    const std::int64_t k = points == 0 ? 0 : t_.curve.genuine[points - 1];
    if (genuine_.back() == 0) return kNan;
    return static_cast<double>(genuine_.back() - genuine_[static_cast<std::size_t>(k)]) /
           static_cast<double>(genuine_.back());
  }

  // As many points as keep the FMR within the target.
  std::size_t points_at_fmr(double target, double share) const {
    std::size_t low = 0, high = t_.curve.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2 + 1;
      if (fmr(middle, share) <= target)
        low = middle;
      else
        high = middle - 1;
    }
    return low;
  }

  double eer(double share) const {
    std::size_t low = 1, high = t_.curve.size();
    if (high == 0 || genuine_.back() == 0 || impostors_.back() == 0) return kNan;
    while (low < high) {  // the first point where FMR >= FNMR, or the last
      const std::size_t middle = (low + high) / 2;
      if (fmr(middle, share) >= fnmr(middle))
        high = middle;
      else
        low = middle + 1;
    }
    auto gap = [&](std::size_t p) { return std::abs(fmr(p, share) - fnmr(p)); };
    if (low > 1 && gap(low - 1) <= gap(low)) --low;
    return (fmr(low, share) + fnmr(low)) / 2;
  }

  // By trapezoids over points: a point may hold several equal scores, which count one half.
  double auc(double share) const {
    if (genuine_.back() == 0 || impostors_.back() == 0) return kNan;
    double won = 0, genuine = 0, rate = 0;
    auto step = [&](double next_genuine, double next_rate) {
      won += (genuine + next_genuine) / 2 * (next_rate - rate);
      genuine = next_genuine, rate = next_rate;
    };
    for (std::size_t p = 1; p <= t_.curve.size(); ++p) step(1 - fnmr(p), fmr(p, share));
    step(1, 1);  // pairs without a face tie at the bottom
    return won;
  }

 private:
  const SubjectTable& t_;
  std::vector<std::int64_t> genuine_, impostors_;
};

// Points of a group's curve accepted at the threshold that accepts `points` of `all`.
std::size_t group_points(const Curve& all, std::size_t points, const Curve& group) {
  if (points == 0) return 0;
  const auto below =
      std::upper_bound(group.threshold.begin(), group.threshold.end(), all.threshold[points - 1], std::greater<>());
  return static_cast<std::size_t>(below - group.threshold.begin());
}

std::size_t points_at_threshold(const Curve& c, double threshold) {
  return static_cast<std::size_t>(
      std::upper_bound(c.threshold.begin(), c.threshold.end(), threshold, std::greater<>()) - c.threshold.begin());
}

struct Counted {
  Weighted all;
  std::vector<Weighted> groups;
  explicit Counted(const GroupedTable& t) : all(t.all), groups(t.groups.begin(), t.groups.end()) {}
  void count(const std::vector<std::int32_t>& weights) {
    all.count(weights);
    for (Weighted& g : groups) g.count(weights);
  }
};

double measure(const GroupedTable& t, const Counted& c, const Figure& f, const Shares& share) {
  if (f.kind == Figure::Kind::kEer) return c.all.eer(share.rate);
  if (f.kind == Figure::Kind::kAuc) return c.all.auc(share.rate);
  std::size_t points = f.how == Figure::At::kThreshold ? points_at_threshold(t.all.curve, f.at)
                                                       : c.all.points_at_fmr(f.at, share.threshold);
  const Weighted* of = &c.all;
  if (f.group >= 0) {
    const auto g = static_cast<std::size_t>(f.group);
    of = &c.groups[g];
    points = f.how == Figure::At::kThreshold ? points_at_threshold(t.groups[g].curve, f.at)
                                             : group_points(t.all.curve, points, t.groups[g].curve);
  }
  return f.kind == Figure::Kind::kFmr ? of->fmr(points, share.rate) : of->fnmr(points);
}

Counted counted_once(const GroupedTable& t) {
  Counted c(t);
  c.count(std::vector<std::int32_t>(static_cast<std::size_t>(t.all.subjects) + 1, 1));
  return c;
}

// 1 for each accepted impostor.
std::vector<double> accepted(const SubjectTable& t, std::size_t points) {
  std::vector<double> e(t.impostor_a.size(), 0.0);
  if (points > 0) std::fill_n(e.begin(), t.curve.impostors[points - 1], 1.0);
  return e;
}

// The share of genuine comparisons that an impostor outscores, ties counting half.
std::vector<double> placements(const SubjectTable& t) {
  std::vector<double> e(t.impostor_a.size(), 1.0);
  std::int64_t genuine = 0, i = 0;
  for (std::size_t p = 0; p < t.curve.size(); ++p) {
    const double share = static_cast<double>(genuine + t.curve.genuine[p]) / 2 /
                         static_cast<double>(std::max<std::int64_t>(1, t.genuine_total()));
    for (; i < t.curve.impostors[p]; ++i) e[static_cast<std::size_t>(i)] = share;
    genuine = t.curve.genuine[p];
  }
  return e;
}

// Points of a table's (or group's) curve accepted at the sample's threshold.
std::size_t points_of(const GroupedTable& table, const SubjectTable& t, int group, const Figure& figure) {
  const std::size_t points = accepted_points(table.all, figure);
  if (group < 0) return points;
  return figure.how == Figure::At::kThreshold ? points_at_threshold(t.curve, figure.at)
                                              : group_points(table.all.curve, points, t.curve);
}

std::vector<double> residuals(const GroupedTable& table, const SubjectTable& t, int group, const Figure& figure) {
  return figure.kind == Figure::Kind::kAuc ? placements(t) : accepted(t, points_of(table, t, group, figure));
}

template <class Residuals>
Shares shares_of(const GroupedTable& table, const Figure& figure, const Residuals& residuals) {
  Shares s;
  s.rate = s.threshold = noise_share(table.all, residuals(table.all, -1));
  if (figure.group < 0) return s;
  const SubjectTable& g = table.groups[static_cast<std::size_t>(figure.group)];
  s.rate = noise_share(g, residuals(g, figure.group));
  return s;
}

}  // namespace

double sample_figure(const GroupedTable& table, const Figure& figure) {
  return measure(table, counted_once(table), figure, {});
}

std::size_t accepted_points(const SubjectTable& table, const Figure& figure) {
  if (figure.kind == Figure::Kind::kEer) {
    const double t = equal_error_rate(table.curve).at.threshold;
    return std::isnan(t) ? 0 : points_at_threshold(table.curve, t);
  }
  if (figure.how == Figure::At::kThreshold) return points_at_threshold(table.curve, figure.at);
  return points_at_threshold(table.curve, at_fmr(table.curve, figure.at).threshold);
}

Shares noise_shares(const GroupedTable& table, const Figure& figure) {
  return shares_of(table, figure, [&](const SubjectTable& t, int group) { return residuals(table, t, group, figure); });
}

Shares paired_noise_shares(const GroupedTable& a, const GroupedTable& b, const Figure& figure) {
  return shares_of(a, figure, [&](const SubjectTable& t, int group) {
    const SubjectTable& other = group < 0 ? b.all : b.groups[static_cast<std::size_t>(group)];
    std::vector<double> e = residuals(a, t, group, figure);
    const std::vector<double> f = residuals(b, other, group, figure);
    LIKENESS_ASSERT(e.size() == f.size());
    std::vector<double> by_row;
    for (std::size_t i = 0; i < f.size(); ++i) {
      const auto row = static_cast<std::size_t>(other.impostor_row[i]);
      if (by_row.size() <= row) by_row.resize(row + 1);
      by_row[row] = f[i];
    }
    for (std::size_t i = 0; i < e.size(); ++i) e[i] -= by_row[static_cast<std::size_t>(t.impostor_row[i])];
    return e;
  });
}

std::vector<std::vector<double>> bootstrap(const GroupedTable& table, const std::vector<Figure>& figures,
                                           const std::vector<Shares>& shares, const BootstrapOptions& options) {
  LIKENESS_ASSERT(figures.size() == shares.size() && options.replicates > 0 && table.all.subjects > 0);
  const auto replicates = static_cast<std::size_t>(options.replicates),
             subjects = static_cast<std::size_t>(table.all.subjects);
  std::vector<std::vector<double>> values(figures.size(), std::vector<double>(replicates));
  // Slices are longer than one replicate so that each thread allocates its sums a few times only.
  parallel_for(replicates, std::max<std::size_t>(1, replicates / 32), options.threads,
               [&](std::size_t begin, std::size_t end) {
                 Counted counted(table);
                 std::vector<std::int32_t> weights(subjects + 1);
                 for (std::size_t r = begin; r < end; ++r) {
                   std::fill(weights.begin(), weights.end(), 0);
                   Rng rng(options.seed, Purpose::kBootstrap, 0, r);
                   for (std::size_t s = 0; s < subjects; ++s) ++weights[rng.below(subjects)];
                   weights.back() = 1;
                   counted.count(weights);
                   for (std::size_t f = 0; f < figures.size(); ++f)
                     values[f][r] = measure(table, counted, figures[f], shares[f]);
                 }
               });
  return values;
}

double replicate_variance(const std::vector<double>& values, std::int64_t subjects) {
  double count = 0, sum = 0, squares = 0;
  for (double x : values)
    if (!std::isnan(x)) count += 1, sum += x;
  if (count < 2 || subjects < 2) return 0;
  const double mean = sum / count, s = static_cast<double>(subjects);
  for (double x : values)
    if (!std::isnan(x)) squares += (x - mean) * (x - mean);
  return squares / (count - 1) * s / (s - 1);
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  LIKENESS_ASSERT(a.size() == b.size());
  std::vector<double> d(a.size());
  for (std::size_t r = 0; r < a.size(); ++r) d[r] = b[r] - a[r];
  return d;
}

}  // namespace likeness::eval
