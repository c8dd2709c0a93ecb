// Subject bootstrap: figures counted again and again with people drawn with replacement, thresholds found anew each
// time.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/metrics/subject_table.h"

namespace likeness::eval {

// One figure of a set of comparisons, as an error (lower is better) except for the AUC.
struct Figure {
  enum class Kind { kFmr, kFnmr, kEer, kAuc } kind = Kind::kFnmr;
  enum class At { kFmrTarget, kThreshold } how = At::kFmrTarget;  // where kFmr and kFnmr are read off
  double at = 0;
  int group = -1;  // of GroupedTable::groups; the threshold is always that of all comparisons
};

// All comparisons, and those of each group (their people numbered alike).
struct GroupedTable {
  SubjectTable all;
  std::vector<SubjectTable> groups;
};

// noise_share() of a figure's impostor rates: of the rate that fixes its threshold, and of the rate it is.
struct Shares {
  double threshold = 1, rate = 1;
};

// The figure of the comparisons as they are; equals at_fmr, at_threshold, equal_error_rate and auc of curve.h. NaN:
// undefined.
double sample_figure(const GroupedTable& table, const Figure& figure);
// Where the figure's threshold lies: the number of points of table.all.curve that are accepted.
std::size_t accepted_points(const SubjectTable& table, const Figure& figure);
Shares noise_shares(const GroupedTable& table, const Figure& figure);
// The same for a difference of two models over the same comparisons, which both then use: what they decide alike
// cancels.
Shares paired_noise_shares(const GroupedTable& a, const GroupedTable& b, const Figure& figure);

struct BootstrapOptions {
  std::int64_t replicates = 1000;  // the variance is then known to 4.5 % (2 standard errors of a standard deviation)
  std::uint64_t seed = 1;          // part of the result: the same seed gives the same replicates
  int threads = 0;                 // 0 = all cores; results do not depend on it
};

// [figures][replicates]. In replicate r, S people are drawn with Rng(seed, kBootstrap, 0, r); a person drawn w times
// gives genuine comparisons the weight w, and two people's impostor comparisons w_a w_b (a person is never compared
// with its own copy). An FMR is the sample's plus `shares` of the replicate's deviation from it. Two tables of the same
// people and the same seed have the same draws: differences replicate by replicate are paired. NaN where a replicate
// holds no comparison of a class.
std::vector<std::vector<double>> bootstrap(const GroupedTable& table, const std::vector<Figure>& figures,
                                           const std::vector<Shares>& shares, const BootstrapOptions& options);

// Variance of an estimate from its replicates, S / (S - 1) times theirs: drawing S of S people understates it by that
// factor. NaN replicates are left out; 0 when fewer than two remain.
double replicate_variance(const std::vector<double>& values, std::int64_t subjects);
// b - a, replicate by replicate.
std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace likeness::eval
