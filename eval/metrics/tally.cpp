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

Tally tally_scores(std::span<const double> scores, std::span<const ListedPair> pairs, const Grouping& grouping) {
  LIKENESS_ASSERT(scores.size() == pairs.size());
  Tally t(grouping.cells(), true);
  std::fill(t.is_kept.begin(), t.is_kept.end(), std::uint8_t{1});
  t.kept.reserve(pairs.size());
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const int a = grouping.group(pairs[p].a), b = grouping.group(pairs[p].b);
    CellCounts& cell = t.cell(a, b, pairs[p].genuine);
    if (std::isnan(scores[p])) {
      ++cell.failed;
      continue;
    }
    if (cell.bins.empty()) cell.bins.resize(kScoreBins);
    ++cell.bins[static_cast<std::size_t>(score_bin(scores[p]))];
    t.moments_[pairs[p].genuine].add(scores[p]);
    t.kept.push_back({scores[p], a, b, pairs[p].genuine});
  }
  std::sort(t.kept.begin(), t.kept.end(), [](const KeptScore& x, const KeptScore& y) { return x.score > y.score; });
  return t;
}

Tally tally_list(const Cosines& cosines, std::span<const ListedPair> pairs, const Grouping& grouping, int threads) {
  std::vector<double> scores(pairs.size());
  parallel_for(pairs.size(), 1024, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) scores[p] = cosines.score(pairs[p].a, pairs[p].b);
  });
  return tally_scores(scores, pairs, grouping);
}

}  // namespace likeness::eval
