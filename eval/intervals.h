// Subject bootstrap over scores: the figures of a verification, and the intervals of a result's metrics.
#pragma once

#include <string>
#include <vector>

#include "core/scores.h"
#include "eval/metrics/bootstrap.h"
#include "eval/metrics/estimates.h"
#include "eval/result.h"
#include "eval/verify.h"

namespace likeness::eval {

inline constexpr const char* kSubjectBootstrap = "subject-bootstrap";  // Measure::interval.method

// A figure under the names it has in results.
struct NamedFigure {
  std::string name;  // "fnmr@fmr=1e-3"
  Figure figure;
  bool higher_is_better;  // the AUC, and TAR, which is 1 - FNMR
};

// "tar@fmr=1e-3", "fnmr@fmr=1e-3", "tar@threshold", "fnmr@threshold", "fmr@threshold" (threshold: the one to read them
// at), "eer", "auc", and "fmr@fmr=1e-3", which only groups have: of everybody, it is the target. False when the name is
// none of these.
std::vector<std::string> figure_names();  // for messages, as patterns
bool find_figure(const std::string& name, double threshold, NamedFigure* out);

// How many comparisons and people stand behind a figure, and whether they support it (design: rule of 30, 50 people).
struct Basis {
  std::int64_t errors = 0, comparisons = 0;  // 0 for EER and AUC, which are no counts
  std::int64_t people = 0;
  Verdict support;
};
Basis basis_of(const GroupedTable& table, const Figure& figure);

// A figure's estimate from its replicates (metrics/estimates.h).
Estimate estimate(const GroupedTable& table, const Figure& figure, const std::vector<double>& replicates);

// Puts the bootstrap's limits (95 %) in place of Wilson's on tar, fnmr, fmr, eer and auc, with method, unit, replicates
// and seed; a figure of fewer than 50 people, and any AUC, becomes provisional. Suppressed figures, accuracy and val
// are left as they are.
void add_intervals(Result& result, const ScoreArchive& scores, const std::vector<OperatingTarget>& at,
                   const BootstrapOptions& options);

}  // namespace likeness::eval
