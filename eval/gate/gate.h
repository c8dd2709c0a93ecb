// Judging a candidate against a gate specification: pass, fail, or inconclusive.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/gate/spec.h"
#include "eval/paired.h"

namespace likeness::eval {

enum class Outcome { kPass, kInconclusive, kFail };
std::string to_string(Outcome outcome);

// One figure of one gate: of everybody, or of one group. It passes if its loss is at most the bound.
struct GateCell {
  Where where;
  std::optional<double> candidate, baseline;  // in the metric's own direction
  std::optional<double> loss, low,
      high;  // one-sided limits at alpha, each; bound and loss are errors, differences or ratios
  double bound = 0;
  double p = 1;  // of "the loss is at most the bound"
  Outcome outcome = Outcome::kInconclusive;
  std::string why;  // of what did not pass
  std::int64_t people = 0;
  std::optional<std::int64_t>
      more_people;  // how many more would decide an inconclusive cell; absent: no number within reason
};

struct GateVerdict {
  Gate gate;
  std::vector<GateCell> cells;
  Outcome outcome = Outcome::kInconclusive;
  std::string waived;   // the reason, while a waiver holds; the outcome then does not block
  std::string expired;  // the day a waiver ran out
};

struct GateReport {
  GateSpec spec;
  nlohmann::json data, candidate, baseline;  // what was judged
  std::vector<GateVerdict> verdicts;
  Outcome outcome = Outcome::kPass;  // of all that is not waived
  int exit_code = 0;                 // 1 fail, 3 inconclusive (unless on_inconclusive: warn), 0

  nlohmann::json to_json() const;  // schema "likeness.gate/1"
  std::string to_text() const;
  std::string to_junit() const;     // one test case per gate; inconclusive is an error unless waived or warned about
  std::string to_markdown() const;  // for a job's summary: below 1 MiB, the hosts' limit
};

// What is judged: scores, or (for the candidate alone) the result file of `eval verify`.
struct GateInput {
  std::string name;
  std::optional<ScoreArchive> scores;
  std::optional<Result> result;
};

// All gates must pass, each at level alpha (intersection-union: no correction). A gate fails only if one of its cells
// does after Holm's correction over all cells. What is missing, suppressed or provisional is inconclusive. `today`:
// "2026-11-24", for waivers. kData: trials, counts, failed pictures, precision or flip other than the specification
// says; a baseline of other trials.
GateReport judge(const GateSpec& spec, GateInput candidate, std::optional<GateInput> baseline, const std::string& today,
                 int threads);

}  // namespace likeness::eval
