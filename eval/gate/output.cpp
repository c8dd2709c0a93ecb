// A gate's report for a person, for a machine, for a test runner, and for a job's summary page.
#include <algorithm>
#include <cmath>

#include "core/progress.h"
#include "eval/gate/gate.h"
#include "eval/text.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

// GitHub refuses a job summary above 1 MiB: rows beyond this many are counted instead.
constexpr std::size_t kMostRows = 500;

std::string count(std::int64_t n) { return format_count(static_cast<std::uint64_t>(n)); }

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (char c : text) {
    const auto it = std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first[0] == c; });
    out += it == pairs.end() ? std::string(1, c) : it->second;
  }
  return out;
}
std::string xml(const std::string& text) {
  return replaced(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"\n", "&#10;"}});
}
std::string markdown(const std::string& text) { return replaced(text, {{"|", "\\|"}, {"\n", " "}, {"<", "&lt;"}}); }

// Losses are rates, except ratios.
std::string loss_text(const Gate& gate, double x) {
  if (gate.rule == Gate::Rule::kMaxOverGeomean) return plain_text(x);
  return (x < 0 ? "-" : "") + (std::abs(x) < 1e-9 ? std::string("0 %") : rate_text(std::abs(x)));
}

std::string rule_text(const Gate& gate) {
  const bool ratio = gate.rule == Gate::Rule::kMaxOverGeomean;
  return gate.metric.name + " " + to_string(gate.rule) + " " + (ratio ? plain_text(gate.limit) : rate_text(gate.limit));
}

std::string figures_text(const Gate& gate, const GateCell& c) {
  std::string text;
  if (c.baseline) text += rate_text(*c.baseline) + " -> ";
  if (c.candidate) text += rate_text(*c.candidate);
  if (c.loss)
    text +=
        ", loss " + loss_text(gate, *c.loss) + " [" + loss_text(gate, *c.low) + " to " + loss_text(gate, *c.high) + "]";
  return text + (text.empty() ? "" : ", ") + "at most " + loss_text(gate, c.bound);
}

std::string why_text(const GateCell& c) {
  std::string text = c.why;
  if (c.more_people)
    text += "; about " + count(*c.more_people) + " more people would decide";
  else if (c.outcome == Outcome::kInconclusive && c.why.starts_with("undecided: the loss"))
    text += "; no number of people within reason would decide";
  return text;
}

std::string outcome_text(const GateVerdict& v) {
  return to_string(v.outcome) + (v.waived.empty() ? "" : ", waived: " + v.waived) +
         (v.expired.empty() ? "" : ", the waiver ran out on " + v.expired);
}

template <class T>
json or_null(const std::optional<T>& x) {
  return x ? json(*x) : json(nullptr);
}

}  // namespace

json GateReport::to_json() const {
  json gates = json::array();
  for (const GateVerdict& v : verdicts) {
    json cells = json::array();
    for (const GateCell& c : v.cells)
      cells.push_back({{"where", c.where},
                       {"candidate", or_null(c.candidate)},
                       {"baseline", or_null(c.baseline)},
                       {"loss", or_null(c.loss)},
                       {"low", or_null(c.low)},
                       {"high", or_null(c.high)},
                       {"bound", c.bound},
                       {"p", c.p},
                       {"outcome", to_string(c.outcome)},
                       {"why", c.why},
                       {"people", c.people},
                       {"more_people", or_null(c.more_people)}});
    json g = {
        {"name", v.gate.name},   {"metric", v.gate.metric.name},    {"by", v.gate.by}, {"rule", to_string(v.gate.rule)},
        {"limit", v.gate.limit}, {"outcome", to_string(v.outcome)}, {"cells", cells}};
    if (!v.waived.empty()) g["waived"] = v.waived;
    if (!v.expired.empty()) g["waiver_expired"] = v.expired;
    gates.push_back(g);
  }
  return {{"schema", "likeness.gate/1"},
          {"spec", spec.file},
          {"alpha", spec.alpha},
          {"on_inconclusive", spec.block_inconclusive ? "block" : "warn"},
          {"interval",
           {{"method", kSubjectBootstrap},
            {"unit", "subject"},
            {"sided", 1},
            {"level", 1 - spec.alpha},
            {"replicates", spec.resample.replicates},
            {"seed", spec.resample.seed}}},
          {"candidate", candidate},
          {"baseline", baseline},
          {"data", data},
          {"gates", gates},
          {"outcome", to_string(outcome)},
          {"exit", exit_code}};
}

std::string GateReport::to_text() const {
  std::string text;
  for (const GateVerdict& v : verdicts) {
    text += v.gate.name + ": " + outcome_text(v) + "  (" + rule_text(v.gate) + ")\n";
    for (const GateCell& c : v.cells) {
      text += "  " + to_string(c.outcome) + "  " + where_text(c.where) + ": " + figures_text(v.gate, c);
      text += (c.why.empty() ? "" : "; " + why_text(c)) + "\n";
    }
  }
  return text + "gate: " + to_string(outcome) +
         (outcome == Outcome::kInconclusive && exit_code == 0 ? " (a warning)" : "") + "\n";
}

std::string GateReport::to_junit() const {
  auto number = [&](auto&& which) { return std::to_string(std::count_if(verdicts.begin(), verdicts.end(), which)); };
  auto fails = [](const GateVerdict& v) { return v.waived.empty() && v.outcome == Outcome::kFail; };
  auto errs = [&](const GateVerdict& v) {
    return v.waived.empty() && v.outcome == Outcome::kInconclusive && spec.block_inconclusive;
  };
  auto skips = [&](const GateVerdict& v) { return v.outcome != Outcome::kPass && !fails(v) && !errs(v); };
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"likeness gate\" tests=\"" +
      std::to_string(verdicts.size()) + "\" failures=\"" + number(fails) + "\" errors=\"" + number(errs) +
      "\" skipped=\"" + number(skips) + "\">\n";
  for (const GateVerdict& v : verdicts) {
    text += "<testcase classname=\"likeness.gate\" name=\"" + xml(v.gate.name) + "\"";
    std::string detail;
    for (const GateCell& c : v.cells)
      detail += to_string(c.outcome) + "  " + where_text(c.where) + ": " + figures_text(v.gate, c) +
                (c.why.empty() ? "" : "; " + why_text(c)) + "\n";
    const std::string message = xml(rule_text(v.gate) + ": " + outcome_text(v));
    if (skips(v))
      text += "><skipped message=\"" + message + "\"/></testcase>\n";
    else if (fails(v))
      text += "><failure message=\"" + message + "\">" + xml(detail) + "</failure></testcase>\n";
    else if (errs(v))
      text += "><error message=\"" + message + "\">" + xml(detail) + "</error></testcase>\n";
    else
      text += "/>\n";
  }
  return text + "</testsuite>\n</testsuites>\n";
}

std::string GateReport::to_markdown() const {
  std::string text = "## Gate: " + to_string(outcome) + "\n\n";
  text += "Candidate `" + markdown(candidate.value("path", "")) + "`";
  if (baseline.is_object()) text += ", baseline `" + markdown(baseline.value("path", "")) + "`";
  text += "; one-sided limits at level " + plain_text(spec.alpha) + ", " + count(spec.resample.replicates) +
          " replicates over people.\n\n";
  text += "| gate | where | figures | outcome |\n|---|---|---|---|\n";
  std::size_t rows = 0, left = 0;
  for (const GateVerdict& v : verdicts)
    for (const GateCell& c : v.cells) {
      if (rows == kMostRows) {
        ++left;
        continue;
      }
      ++rows;
      text += "| " + markdown(v.gate.name + ": " + rule_text(v.gate)) + " | " + markdown(where_text(c.where)) + " | " +
              markdown(figures_text(v.gate, c)) + " | **" + to_string(c.outcome) + "** " +
              markdown((v.waived.empty() ? "" : "(waived: " + v.waived + ") ") + why_text(c)) + " |\n";
    }
  if (left > 0) text += "\n" + count(static_cast<std::int64_t>(left)) + " more rows are in the JSON.\n";
  return text;
}

}  // namespace likeness::eval
