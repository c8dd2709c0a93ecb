#include "eval/gate/input.h"

#include <cmath>

#include "core/error.h"

namespace likeness::eval {

using Rule = Gate::Rule;
using nlohmann::json;

std::vector<GateCell> judge_result(const Gate& gate, const Result& r, const GateSpec& spec) {
  GateCell cell;
  cell.bound = gate.rule == Rule::kAtLeast ? 1 - gate.limit : gate.limit;
  const auto m = r.metrics.find(gate.metric.name);
  if (gate.rule == Rule::kWorseByAtMost || gate.rule == Rule::kMaxOverGeomean || !gate.by.empty()) {
    cell.why = "missing: a result file holds no scores to pair or group; give the archive";
  } else if (m == r.metrics.end()) {
    cell.why = "missing: the result has no " + gate.metric.name;
  } else if (m->second.status.support != Support::kOk) {
    cell.why = to_string(m->second.status.support) + ": " + m->second.status.why;
  } else if (gate.metric.name.ends_with("@threshold") && m->second.threshold != spec.threshold) {
    cell.why = "missing: the result has " + gate.metric.name + " at another threshold";
  } else if (m->second.interval.method != kSubjectBootstrap ||
             !(m->second.interval.level.value_or(0) >= 1 - 2 * spec.alpha)) {
    cell.why = "missing: the result's interval is not a subject bootstrap of level " + number_name(1 - 2 * spec.alpha) +
               " or more";
  } else {
    const bool turned = gate.metric.higher_is_better;
    cell.candidate = m->second.value;
    cell.loss = turned ? 1 - *m->second.value : *m->second.value;
    cell.low = turned ? 1 - *m->second.high : *m->second.low;
    cell.high = turned ? 1 - *m->second.low : *m->second.high;
    cell.people = r.data.value("people", std::int64_t{0});
    if (*cell.low > cell.bound) cell.p = (1 - *m->second.interval.level) / 2;
    if (*cell.high <= cell.bound)
      cell.outcome = Outcome::kPass;
    else
      cell.why = "undecided: the loss may be on either side of the limit";
  }
  return {cell};
}

json check_data(const GateSpec& spec, const GateInput& input) {
  std::string digest;
  std::int64_t pairs = 0, failed = 0;
  json contract;
  if (input.scores) {
    digest = input.scores->trial_digest;
    pairs = static_cast<std::int64_t>(input.scores->size());
    for (double s : input.scores->scores) failed += std::isnan(s);
    contract = json::parse(input.scores->contract_json, nullptr, false);
  } else {
    const Result& r = *input.result;
    digest = r.data.value("trial_digest", "");
    pairs = r.data.value("genuine", std::int64_t{0}) + r.data.value("impostors", std::int64_t{0});
    contract = r.model;
    contract["flip"] = r.conditions.value("flip", "");
  }
  const double fta = pairs == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(pairs);
  auto refuse = [&](const char* what, const std::string& expected, const std::string& got) {
    fail_data({what, input.name, expected + " (" + spec.file + ")", got, ""});
  };
  if (!spec.digest.empty() && digest != spec.digest)
    refuse("these are not the trials of the gate", "trial digest " + spec.digest, digest);
  if (spec.pairs && pairs != *spec.pairs)
    refuse("the number of comparisons is not the gate's", std::to_string(*spec.pairs), std::to_string(pairs));
  if (fta > spec.max_fta)
    refuse("too many comparisons without a face", "a share of at most " + number_name(spec.max_fta), number_name(fta));
  auto check = [&](const char* key, const std::string& wanted) {
    const std::string got = contract.is_object() ? contract.value(key, "") : "";
    if (!wanted.empty() && got != wanted)
      refuse("the candidate is not what the gate is about", std::string(key) + " " + wanted, got);
  };
  check("precision", spec.precision), check("flip", spec.flip);
  return {{"trial_digest", digest}, {"pairs", pairs}, {"comparisons_without_face", failed}};
}

}  // namespace likeness::eval
