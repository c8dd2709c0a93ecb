// What a gate asks of a model: the file SPEC.yaml of `likeness eval gate` (docs/evaluation.md lists its keys).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eval/intervals.h"

namespace likeness::eval {

struct Gate {
  enum class Rule {
    kAtLeast,         // tar, auc >= limit
    kAtMost,          // an error rate <= limit
    kWorseByAtMost,   // the candidate's error - the baseline's <= limit, paired
    kMaxOverGeomean,  // each group's rate / the geometric mean over groups <= limit
  };
  std::string name;
  NamedFigure metric;
  std::vector<std::string> by;  // one cell per group; all must pass
  Rule rule = Rule::kAtMost;
  double limit = 0;
};

struct Waiver {
  std::string gate, until, reason;  // until: the last day, "2027-01-31"
};

struct GateSpec {
  std::string file;
  double alpha = 0.05;             // of each one-sided limit
  bool block_inconclusive = true;  // on_inconclusive: block (exit 3) or warn (exit 0)
  BootstrapOptions resample{.replicates = 2000};
  // Guards of the data; what differs is bad data, not a failed gate.
  std::string digest;                 // of the trials; "": any
  std::optional<std::int64_t> pairs;  // comparisons
  double max_fta = 1;                 // share of comparisons in which a picture gave no face
  // What is to be shipped.
  std::optional<double> threshold;  // what …@threshold is read at
  std::string precision, flip;      // "": any
  std::vector<Gate> gates;          // sorted by name
  std::vector<Waiver> waivers;
};

std::string to_string(Gate::Rule rule);  // the key: "worse_by_at_most"

// kUsage naming file, line and key: an unknown key (with the nearest), an unknown metric, none or two rules in a gate,
// a rule that does not fit its metric, …@threshold without operating_point.threshold, a waiver of no gate or without
// reason, no gates.
GateSpec read_gate_spec(const std::filesystem::path& path);
GateSpec parse_gate_spec(const std::string& yaml, const std::string& name);

}  // namespace likeness::eval
