// Is one model better than another? What `likeness eval compare` reports, as a function.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/paired.h"

namespace likeness::eval {

struct CompareOptions {
  // Operating points; each gives FNMR (and FMR, at a threshold that both models share).
  std::vector<OperatingTarget> at = {
      {OperatingTarget::Kind::kFmr, 1e-1}, {OperatingTarget::Kind::kFmr, 1e-2}, {OperatingTarget::Kind::kFmr, 1e-3}};
  std::vector<std::string> by;  // FMR and FNMR of each group, too, at each model's threshold for everybody
  double level = 0.95;          // of the two-sided intervals
  BootstrapOptions bootstrap;
};

// One line: a figure of A and of B, both as errors (except the AUC), and what may be said of the difference.
struct Change {
  std::string
      metric;   // "fnmr@fmr=1e-3", "fmr@threshold", "eer", "auc"; in groups "fnmr@fmr=1e-3" and "fmr@fmr=1e-3", too
  Where where;  // empty: all comparisons
  PairedFigure figure;
  Limits difference;    // of B - A, in the metric's own direction
  std::string verdict;  // "better" or "worse" (B), "no difference shown", or "suppressed"
  // The smallest difference this data could have shown: half the interval's width.
  double margin = 0;
};

struct Comparison {
  std::string protocol, trial_digest;
  std::int64_t people = 0, genuine = 0, impostors = 0;
  CompareOptions options;
  nlohmann::json a = nlohmann::json::object(), b = nlohmann::json::object();  // "path" and the model's contract
  std::vector<Change> changes;

  nlohmann::json to_json() const;  // schema "likeness.comparison/1", docs/formats/comparison.md
  std::string to_text() const;
};

// kData when the archives are not of the same trials (pair_archives); kUsage for an attribute the people do not have.
Comparison compare(ScoreArchive a, ScoreArchive b, const std::string& a_name, const std::string& b_name,
                   const CompareOptions& options);

}  // namespace likeness::eval
