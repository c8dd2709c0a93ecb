// Counting comparisons by score, class and groups, in bounded memory and exactly: a histogram of exact scores tells where
// decisions fall, and only there single scores are kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eval/metrics/curve.h"
#include "eval/metrics/scoring.h"

namespace likeness::eval {

// Which group each picture is in: 0 .. count-1, or `count` for unknown. One group, all pictures in it, when there is nothing
// to tell apart.
struct Grouping {
  int count = 1;
  std::vector<std::int32_t> of;  // [N]; empty: all in group 0
  int cells() const { return count + 1; }
  int group(std::int64_t i) const { return of.empty() ? 0 : of[static_cast<std::size_t>(i)]; }
};

struct ListedPair {
  std::int64_t a = 0, b = 0;  // rows: probe, reference
  bool genuine = false;
};

// 4,096 bins over [-1, 1]: edge(k) = k / 2048 - 1 is exact in double, so that "s >= edge" has one answer.
inline constexpr int kScoreBins = 4096;
double bin_edge(int bin);
int score_bin(double score);  // the k with edge(k) <= s < edge(k + 1); s = 1 is in the last

// Comparisons of one kind between two groups.
struct CellCounts {
  std::vector<std::int64_t> bins;  // [kScoreBins] of exact scores; empty: none
  std::int64_t failed = 0;         // a side gave no face: never accepted
  std::int64_t total() const;
};

// A score kept because a decision falls into its bin.
struct KeptScore {
  double score = 0;
  std::int32_t a_group = 0, b_group = 0;
  bool genuine = false;
};

class Tally {
 public:
  explicit Tally(int groups, bool ordered) : groups_(groups), ordered_(ordered), cells_(2 * static_cast<std::size_t>(groups * groups)) {}

  // Curves: of all pairs, or of one cell per class. Complete inside kept bins; elsewhere points at bin edges.
  Curve pooled() const;
  Curve between(int genuine_group, int a, int b) const;  // genuine of one group against impostors of cell (a, b)
  // Whether every bin that holds a score was kept: the curves are then complete.
  bool complete() const;

  CellCounts& cell(int a, int b, bool genuine) { return cells_[index(a, b, genuine)]; }
  const CellCounts& cell(int a, int b, bool genuine) const { return cells_[index(a, b, genuine)]; }
  int groups() const { return groups_; }  // with the unknown one
  bool ordered() const { return ordered_; }  // probe and reference differ; else (a, b) and (b, a) are one cell
  const Moments& moments(bool genuine) const { return moments_[genuine]; }
  // Pooled counts in `wanted` equal bins (a power of two) over [-1, 1]; of one group's same-group pairs when group >= 0.
  std::vector<std::int64_t> histogram(bool genuine, int wanted, int group = -1) const;

  // For those who fill it.
  void add(const Tally& other);  // histograms and kept scores, not moments
  Moments moments_[2];
  std::vector<KeptScore> kept;       // sorted by falling score once filled
  std::vector<std::uint8_t> is_kept = std::vector<std::uint8_t>(kScoreBins, 0);

 private:
  std::size_t index(int a, int b, bool genuine) const {
    if (!ordered_ && a > b) std::swap(a, b);
    return 2 * static_cast<std::size_t>(a * groups_ + b) + (genuine ? 1 : 0);
  }
  template <class Wanted> Curve curve(const Wanted& wanted) const;

  int groups_;
  bool ordered_;
  std::vector<CellCounts> cells_;  // [groups, groups, 2]
};

// Decisions that a tally must be exact at.
struct Decisions {
  std::vector<double> fmr_targets;
  std::vector<double> thresholds;
  bool eer = true;
};

// The bins in which the decisions fall, of counts from which nothing was kept yet.
std::vector<std::uint8_t> decision_bins(const Tally& counts, const Decisions& decisions);

// Above so many comparisons, single scores are kept only where decisions fall.
inline constexpr std::int64_t kKeepAllBelow = 2'000'000;

// All listed pairs. Memory: 32 bytes for each of a short list; two for each of a long one, and the kept scores.
Tally tally_list(const Cosines& cosines, std::span<const ListedPair> pairs, const Grouping& grouping, const Decisions& decisions, int threads,
                 std::int64_t keep_all_below = kKeepAllBelow);
// Of scores already there; all are kept.
Tally tally_scores(std::span<const double> scores, std::span<const ListedPair> pairs, const Grouping& grouping);

// All N (N - 1) / 2 pairs of a set; genuine iff subjects are equal. f32 tiles by matrix product; any score that lies within
// the product's error bound of a bin edge is computed again by Cosines::score, so that counts are those of exact scores. Sets
// of up to `keep_all_below` pairs keep every score, larger ones only the bins where decisions fall. Memory: a tile per thread,
// the unit vectors in f32, and the kept scores. Independent of `threads`.
Tally tally_all_pairs(const Cosines& cosines, std::span<const std::int64_t> subjects, const Grouping& grouping,
                      const Decisions& decisions, int threads, std::int64_t keep_all_below = kKeepAllBelow);

}  // namespace likeness::eval
