#include "eval/metrics/insightface.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/progress.h"
#include "core/thread_pool.h"
#include "eval/metrics/scoring.h"

namespace likeness::eval {
namespace {

// Counts of a slice of pairs at every point of a grid t_i = i * step: how many genuine and impostor pairs have d < t_i.
struct GridCounts {
  std::vector<std::int64_t> genuine, impostors;
  std::int64_t genuine_total = 0, impostor_total = 0;

  explicit GridCounts(std::size_t points) : genuine(points), impostors(points) {}

  // `first` is the lowest grid index whose threshold exceeds the distance (points: none does).
  void add(std::size_t first, bool is_genuine) {
    ++(is_genuine ? genuine_total : impostor_total);
    if (first < genuine.size()) ++(is_genuine ? genuine : impostors)[first];
  }
  void accumulate() {
    for (std::size_t i = 1; i < genuine.size(); ++i) genuine[i] += genuine[i - 1], impostors[i] += impostors[i - 1];
  }
  void add(const GridCounts& o, std::int64_t sign) {
    for (std::size_t i = 0; i < genuine.size(); ++i) genuine[i] += sign * o.genuine[i], impostors[i] += sign * o.impostors[i];
    genuine_total += sign * o.genuine_total, impostor_total += sign * o.impostor_total;
  }
  std::int64_t correct(std::size_t i) const { return genuine[i] + impostor_total - impostors[i]; }
};

double rate(std::int64_t k, std::int64_t n) { return static_cast<double>(k) / static_cast<double>(n); }

// The lowest i with d < i * step, where i * step is the double product: what numpy's arange holds bit for bit.
std::size_t first_above(double d, double step) {
  auto i = static_cast<std::int64_t>(d / step);
  while (i > 0 && d < static_cast<double>(i - 1) * step) --i;
  while (!(d < static_cast<double>(i) * step)) ++i;
  return static_cast<std::size_t>(i);
}

std::vector<GridCounts> count_folds(std::span<const double> d, std::span<const std::uint8_t> genuine,
                                    const std::vector<InsightfaceFold>& folds, std::size_t points, double step) {
  std::vector<GridCounts> counts(folds.size(), GridCounts(points));
  for (std::size_t f = 0; f < folds.size(); ++f) {
    for (auto p = static_cast<std::size_t>(folds[f].begin); p < static_cast<std::size_t>(folds[f].end); ++p)
      counts[f].add(first_above(d[p], step), genuine[p] != 0);
    counts[f].accumulate();
  }
  return counts;
}

GridCounts sum_of(const std::vector<GridCounts>& counts) {
  GridCounts all(counts.front().genuine.size());
  for (const GridCounts& c : counts) all.add(c, 1);
  return all;
}

// scipy's interp1d over repeated FAR values, as the reference's own version of scipy did it.
double threshold_at_far(const GridCounts& train, double target, double step) {
  const std::size_t points = train.impostors.size();
  auto far = [&](std::size_t i) { return rate(train.impostors[i], train.impostor_total); };
  if (far(points - 1) < target) return 0;
  std::size_t j = points - 1;
  while (far(j) > target) --j;  // far(0) = 0: no distance is below 0
  const double t = static_cast<double>(j) * step;
  if (far(j) == target || j + 1 == points) return t;
  const double next = static_cast<double>(j + 1) * step;
  return t + (next - t) * ((target - far(j)) / (far(j + 1) - far(j)));
}

struct MeanStd {
  double mean = 0, std = 0;
};
template <class F> MeanStd over_folds(const std::vector<InsightfaceFold>& folds, F value) {
  const double k = static_cast<double>(folds.size());
  MeanStd m;
  for (const auto& f : folds) m.mean += value(f);
  m.mean /= k;
  for (const auto& f : folds) m.std += (value(f) - m.mean) * (value(f) - m.mean);
  m.std = std::sqrt(m.std / k);
  return m;
}

void check_folds(const std::vector<GridCounts>& counts, const std::string& where) {
  for (std::size_t f = 0; f < counts.size(); ++f) {
    if (counts[f].genuine_total > 0 && counts[f].impostor_total > 0) continue;
    fail_data({"a fold has pairs of one class only", where + ", fold " + std::to_string(f + 1) + " of " + std::to_string(counts.size()),
               "genuine and impostor pairs in every fold",
               format_count(static_cast<std::uint64_t>(counts[f].genuine_total)) + " genuine and " +
                   format_count(static_cast<std::uint64_t>(counts[f].impostor_total)) + " impostor pairs",
               "interleave the classes as LFW does, or use --convention fixed-fmr"});
  }
}

}  // namespace

std::vector<double> squared_distances(std::span<const float> embeddings, std::int64_t dimension,
                                      std::span<const std::int64_t> first, std::span<const std::int64_t> second, int threads) {
  LIKENESS_ASSERT(first.size() == second.size() && dimension > 0);
  std::vector<double> d(first.size());
  const auto dim = static_cast<std::size_t>(dimension);
  parallel_for(first.size(), 256, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p)
      d[p] = squared_distance(embeddings.data() + static_cast<std::size_t>(first[p]) * dim,
                              embeddings.data() + static_cast<std::size_t>(second[p]) * dim, dim);
  });
  return d;
}

std::vector<std::int64_t> contiguous_folds(std::int64_t pairs, int folds) {
  std::vector<std::int64_t> ends;
  for (std::int64_t f = 0, at = 0; f < folds; ++f) ends.push_back(at += pairs / folds + (f < pairs % folds ? 1 : 0));
  return ends;
}

InsightfaceResult insightface_folds(std::span<const double> distances, std::span<const std::uint8_t> genuine,
                                    std::span<const std::int64_t> ends, double far_target, const std::string& where) {
  LIKENESS_ASSERT(distances.size() == genuine.size());
  LIKENESS_ASSERT(!ends.empty() && ends.back() == static_cast<std::int64_t>(distances.size()));
  const auto folds = static_cast<int>(ends.size());
  if (folds < 2 || static_cast<int>(distances.size()) < folds)
    fail_data({"too few pairs for cross-validation", where, "at least 2 folds, and a pair in each",
               std::to_string(distances.size()) + " pairs in " + std::to_string(folds) + " folds", "use --convention fixed-fmr"});

  InsightfaceResult r;
  r.folds.resize(ends.size());
  for (std::size_t f = 0; f < ends.size(); ++f) r.folds[f].begin = f == 0 ? 0 : ends[f - 1], r.folds[f].end = ends[f];

  constexpr std::size_t kPoints = 400, kFinePoints = 4000;
  constexpr double kStep = 0.01, kFineStep = 0.001;
  const auto coarse = count_folds(distances, genuine, r.folds, kPoints, kStep);
  check_folds(coarse, where);
  const auto fine = count_folds(distances, genuine, r.folds, kFinePoints, kFineStep);
  const GridCounts all = sum_of(coarse), all_fine = sum_of(fine);

  r.tpr.assign(kPoints, 0);
  r.fpr.assign(kPoints, 0);
  for (std::size_t f = 0; f < r.folds.size(); ++f) {
    InsightfaceFold& fold = r.folds[f];
    const GridCounts& test = coarse[f];
    GridCounts train = all;
    train.add(test, -1);
    std::size_t best = 0;
    for (std::size_t i = 1; i < kPoints; ++i)
      if (train.correct(i) > train.correct(best)) best = i;
    fold.best_index = static_cast<int>(best);
    fold.correct = test.correct(best);
    fold.accuracy = rate(fold.correct, fold.end - fold.begin);
    for (std::size_t i = 0; i < kPoints; ++i) {
      r.tpr[i] += rate(test.genuine[i], test.genuine_total) / folds;
      r.fpr[i] += rate(test.impostors[i], test.impostor_total) / folds;
    }

    GridCounts train_fine = all_fine;
    train_fine.add(fine[f], -1);
    fold.val_threshold = threshold_at_far(train_fine, far_target, kFineStep);
    std::int64_t accepted[2] = {0, 0};
    for (auto p = static_cast<std::size_t>(fold.begin); p < static_cast<std::size_t>(fold.end); ++p)
      if (distances[p] < fold.val_threshold) ++accepted[genuine[p] != 0];
    fold.val = rate(accepted[1], test.genuine_total);
    fold.far = rate(accepted[0], test.impostor_total);
  }
  const MeanStd accuracy = over_folds(r.folds, [](const auto& f) { return f.accuracy; });
  const MeanStd val = over_folds(r.folds, [](const auto& f) { return f.val; });
  r.accuracy_mean = accuracy.mean, r.accuracy_std = accuracy.std;
  r.val_mean = val.mean, r.val_std = val.std;
  r.far_mean = over_folds(r.folds, [](const auto& f) { return f.far; }).mean;
  return r;
}

}  // namespace likeness::eval
