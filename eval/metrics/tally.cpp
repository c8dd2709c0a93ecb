#include "eval/metrics/tally.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/thread_pool.h"

namespace likeness::eval {

double bin_edge(int bin) { return bin / (kScoreBins / 2.0) - 1; }

int score_bin(double score) {
  int k = std::clamp(static_cast<int>((score + 1) * (kScoreBins / 2)), 0, kScoreBins - 1);
  if (score < bin_edge(k)) --k;  // the sum above may have been rounded up to an edge
  return k;
}

std::int64_t CellCounts::total() const { return std::accumulate(bins.begin(), bins.end(), failed); }

void Tally::add(const Tally& other) {
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    const CellCounts& from = other.cells_[c];
    cells_[c].failed += from.failed;
    if (from.bins.empty()) continue;
    if (cells_[c].bins.empty()) cells_[c].bins.resize(kScoreBins);
    for (int k = 0; k < kScoreBins; ++k) cells_[c].bins[static_cast<std::size_t>(k)] += from.bins[static_cast<std::size_t>(k)];
  }
  kept.insert(kept.end(), other.kept.begin(), other.kept.end());
}

bool Tally::complete() const {
  for (const CellCounts& c : cells_)
    for (std::size_t k = 0; k < c.bins.size(); ++k)
      if (c.bins[k] != 0 && !is_kept[k]) return false;
  return true;
}

// wanted(a, b, genuine): whether a cell belongs to the curve. Called with a <= b where cells are unordered.
template <class Wanted> Curve Tally::curve(const Wanted& wanted) const {
  std::vector<std::int64_t> bins[2];
  bins[0].resize(kScoreBins), bins[1].resize(kScoreBins);
  Curve c;
  for (int a = 0; a < groups_; ++a)
    for (int b = ordered_ ? 0 : a; b < groups_; ++b)
      for (bool genuine : {false, true}) {
        if (!wanted(a, b, genuine)) continue;
        const CellCounts& from = cell(a, b, genuine);
        (genuine ? c.genuine_total : c.impostor_total) += from.total();
        for (std::size_t k = 0; k < from.bins.size(); ++k) bins[genuine][k] += from.bins[k];
      }
  std::int64_t genuine = 0, impostors = 0;
  auto next = kept.begin();
  auto point = [&](double t) {
    c.threshold.push_back(t);
    c.genuine.push_back(genuine);
    c.impostors.push_back(impostors);
  };
  for (int k = kScoreBins - 1; k >= 0; --k) {
    const auto bin = static_cast<std::size_t>(k);
    if (!is_kept[bin]) {
      if (bins[0][bin] + bins[1][bin] == 0) continue;
      genuine += bins[1][bin], impostors += bins[0][bin];
      point(bin_edge(k));
      continue;
    }
    for (const double edge = bin_edge(k); next != kept.end() && next->score >= edge;) {
      const double t = next->score;
      bool any = false;
      for (; next != kept.end() && next->score == t; ++next) {
        const bool swap = !ordered_ && next->a_group > next->b_group;
        if (!wanted(swap ? next->b_group : next->a_group, swap ? next->a_group : next->b_group, next->genuine)) continue;
        ++(next->genuine ? genuine : impostors);
        any = true;
      }
      if (any) point(t);
    }
  }
  return c;
}

Curve Tally::pooled() const {
  return curve([](int, int, bool) { return true; });
}

Curve Tally::between(int genuine_group, int a, int b) const {
  if (!ordered_ && a > b) std::swap(a, b);
  return curve([=](int x, int y, bool genuine) {
    return genuine ? x == genuine_group && y == genuine_group : x == a && y == b;
  });
}

std::vector<std::int64_t> Tally::histogram(bool genuine, int wanted, int group) const {
  LIKENESS_ASSERT(wanted > 0 && kScoreBins % wanted == 0);
  std::vector<std::int64_t> out(static_cast<std::size_t>(wanted));
  for (int a = 0; a < groups_; ++a)
    for (int b = ordered_ ? 0 : a; b < groups_; ++b) {
      if (group >= 0 && (a != group || b != group)) continue;
      const CellCounts& from = cell(a, b, genuine);
      for (std::size_t k = 0; k < from.bins.size(); ++k) out[k / static_cast<std::size_t>(kScoreBins / wanted)] += from.bins[k];
    }
  return out;
}

namespace {

// Marks the bin with the first curve point for which `passed` is true and the one before it: the decision lies in them.
template <class Passed> void mark(const Curve& edges, std::vector<std::uint8_t>& bins, const Passed& passed) {
  for (std::size_t p = 0; p < edges.size(); ++p) {
    if (!passed(p)) continue;
    bins[static_cast<std::size_t>(score_bin(edges.threshold[p]))] = 1;
    if (p > 0) bins[static_cast<std::size_t>(score_bin(edges.threshold[p - 1]))] = 1;
    return;
  }
  if (edges.size() > 0) bins[static_cast<std::size_t>(score_bin(edges.threshold.back()))] = 1;
}

}  // namespace

std::vector<std::uint8_t> decision_bins(const Tally& counts, const Decisions& decisions) {
  std::vector<std::uint8_t> bins(kScoreBins, 0);
  const Curve edges = counts.pooled();  // points at bin edges
  for (double target : decisions.fmr_targets) {
    const std::int64_t budget = error_budget(edges.impostor_total, target);
    mark(edges, bins, [&](std::size_t p) { return edges.impostors[p] > budget; });
  }
  for (double t : decisions.thresholds) bins[static_cast<std::size_t>(score_bin(std::clamp(t, -1.0, 1.0)))] = 1;
  if (decisions.eer && edges.genuine_total > 0 && edges.impostor_total > 0)
    mark(edges, bins, [&](std::size_t p) { return edges.fmr(p) >= edges.fnmr(p); });
  return bins;
}

Tally tally_scores(std::span<const double> scores, std::span<const ListedPair> pairs, const Grouping& grouping, const Decisions& decisions,
                   std::int64_t keep_all_below) {
  LIKENESS_ASSERT(scores.size() == pairs.size());
  Tally t(grouping.cells(), true);
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    CellCounts& cell = t.cell(grouping.group(pairs[p].a), grouping.group(pairs[p].b), pairs[p].genuine);
    if (std::isnan(scores[p])) {
      ++cell.failed;
      continue;
    }
    if (cell.bins.empty()) cell.bins.resize(kScoreBins);
    ++cell.bins[static_cast<std::size_t>(score_bin(scores[p]))];
    t.moments_[pairs[p].genuine].add(scores[p]);
  }
  const bool keep_all = static_cast<std::int64_t>(pairs.size()) <= keep_all_below;
  const std::vector<std::uint8_t> bins = keep_all ? std::vector<std::uint8_t>(kScoreBins, 1) : decision_bins(t, decisions);
  for (std::size_t p = 0; p < pairs.size(); ++p)
    if (!std::isnan(scores[p]) && bins[static_cast<std::size_t>(score_bin(scores[p]))])
      t.kept.push_back({scores[p], grouping.group(pairs[p].a), grouping.group(pairs[p].b), pairs[p].genuine});
  t.is_kept = bins;
  std::sort(t.kept.begin(), t.kept.end(), [](const KeptScore& x, const KeptScore& y) { return x.score > y.score; });
  return t;
}

Tally tally_list(const Cosines& cosines, std::span<const ListedPair> pairs, const Grouping& grouping, const Decisions& decisions, int threads,
                 std::int64_t keep_all_below) {
  std::vector<double> scores(pairs.size());
  parallel_for(pairs.size(), 1024, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) scores[p] = cosines.score(pairs[p].a, pairs[p].b);
  });
  return tally_scores(scores, pairs, grouping, decisions, keep_all_below);
}

}  // namespace likeness::eval
