// Two models over the same comparisons: figures, their difference, and how well it is known.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/scores.h"
#include "eval/intervals.h"

namespace likeness::eval {

// Comparisons ready for resampling, by group. A comparison is in a group when the people on both its sides are.
struct GroupedScores {
  ScoreArchive scores;
  GroupedTable table;
  std::vector<Where> groups;                          // names of table.groups
  std::vector<std::vector<std::int64_t>> group_rows;  // [groups] their comparisons
  std::int64_t people = 0;

  const std::vector<std::int64_t>* rows_of(const Figure& f) const {
    return f.group < 0 ? nullptr : &group_rows[static_cast<std::size_t>(f.group)];
  }
  Where where_of(const Figure& f) const { return f.group < 0 ? Where{} : groups[static_cast<std::size_t>(f.group)]; }
};
// `by`: attributes whose values make groups, together; people with an unknown value are in none. kUsage naming the
// attributes there are, when one is missing.
GroupedScores group_scores(ScoreArchive scores, const std::vector<std::string>& by);

// kData unless both archives hold the same comparisons in the same order: trial digest, number, labels. The second's
// people then become those of the first, whatever key hid them.
void pair_archives(const ScoreArchive& a, ScoreArchive& b, const std::string& a_name, const std::string& b_name);

// A figure of two models, a and b. Everything is as an error: `loss` is how much worse b is (for the AUC, a's minus
// b's).
struct PairedFigure {
  double a = 0, b = 0;                      // FMR, FNMR, EER or AUC; NaN: undefined
  double threshold_a = 0, threshold_b = 0;  // NaN for the AUC
  Basis basis_a, basis_b;
  std::int64_t only_a_wrong = 0, only_b_wrong = 0;  // comparisons; for FMR and FNMR
  std::optional<double> mcnemar;  // exact two-sided p of those counts, which takes comparisons as independent
  Estimate loss;
  // What the difference may be called: the better supported of both. Suppressed: the loss means nothing.
  Verdict support;
};
// Same people, same draws, thresholds found anew in each replicate for each model.
std::vector<PairedFigure> pair_figures(const GroupedScores& a, const GroupedScores& b,
                                       const std::vector<Figure>& figures, const BootstrapOptions& options);

// Exact two-sided p-value of b against c discordant pairs (McNemar 1947, binomial form): 1 when there are none.
double mcnemar_exact(std::int64_t b, std::int64_t c);

// The threshold a figure is read at in these comparisons; NaN for the AUC, infinity where nothing may be accepted.
double threshold_of(const SubjectTable& table, const Figure& figure);

}  // namespace likeness::eval
