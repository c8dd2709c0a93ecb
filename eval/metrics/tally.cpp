#include "eval/metrics/tally.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "core/signals.h"
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

// Adds one comparison; false when a side gave no face.
bool count(Tally& t, Moments* moments, const ListedPair& pair, const Grouping& grouping, double score) {
  CellCounts& cell = t.cell(grouping.group(pair.a), grouping.group(pair.b), pair.genuine);
  if (std::isnan(score)) {
    ++cell.failed;
    return false;
  }
  if (cell.bins.empty()) cell.bins.resize(kScoreBins);
  ++cell.bins[static_cast<std::size_t>(score_bin(score))];
  moments[pair.genuine].add(score);
  return true;
}

void sort_kept(Tally& t) {
  std::sort(t.kept.begin(), t.kept.end(), [](const KeptScore& x, const KeptScore& y) { return x.score > y.score; });
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

Tally tally_scores(std::span<const double> scores, std::span<const ListedPair> pairs, const Grouping& grouping) {
  LIKENESS_ASSERT(scores.size() == pairs.size());
  Tally t(grouping.cells(), true);
  std::fill(t.is_kept.begin(), t.is_kept.end(), std::uint8_t{1});
  t.kept.reserve(pairs.size());
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    if (!count(t, t.moments_, pairs[p], grouping, scores[p])) continue;
    t.kept.push_back({scores[p], grouping.group(pairs[p].a), grouping.group(pairs[p].b), pairs[p].genuine});
  }
  sort_kept(t);
  return t;
}

Tally tally_list(const Cosines& cosines, std::span<const ListedPair> pairs, const Grouping& grouping, const Decisions& decisions, int threads,
                 std::int64_t keep_all_below) {
  if (static_cast<std::int64_t>(pairs.size()) <= keep_all_below) {
    std::vector<double> scores(pairs.size());
    parallel_for(pairs.size(), 1024, threads, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p) scores[p] = cosines.score(pairs[p].a, pairs[p].b);
    });
    return tally_scores(scores, pairs, grouping);
  }
  // The bin of every exact score is remembered; the few scores in bins that matter are computed once more.
  constexpr std::size_t kSlice = 1 << 16;  // fixed, so that sums do not depend on threads
  constexpr std::uint16_t kNoFace = kScoreBins;
  Tally t(grouping.cells(), true);
  std::vector<std::uint16_t> bin(pairs.size());
  std::vector<std::array<Moments, 2>> moments((pairs.size() + kSlice - 1) / kSlice);
  std::mutex mutex;
  parallel_for(pairs.size(), kSlice, threads, [&](std::size_t begin, std::size_t end) {
    throw_if_stopped();
    Tally mine(grouping.cells(), true);
    for (std::size_t p = begin; p < end; ++p) {
      const double score = cosines.score(pairs[p].a, pairs[p].b);
      const bool face = count(mine, moments[begin / kSlice].data(), pairs[p], grouping, score);
      bin[p] = face ? static_cast<std::uint16_t>(score_bin(score)) : kNoFace;
    }
    const std::lock_guard lock(mutex);
    t.add(mine);
  });
  for (const auto& m : moments)
    for (std::size_t genuine : {0, 1}) t.moments_[genuine].add(m[genuine]);
  t.is_kept = decision_bins(t, decisions);
  for (std::size_t p = 0; p < pairs.size(); ++p)
    if (bin[p] != kNoFace && t.is_kept[bin[p]])
      t.kept.push_back({cosines.score(pairs[p].a, pairs[p].b), grouping.group(pairs[p].a), grouping.group(pairs[p].b), pairs[p].genuine});
  sort_kept(t);
  return t;
}

}  // namespace likeness::eval
