#include "eval/gate/spec.h"

#include <algorithm>
#include <cmath>

#include "core/config.h"
#include "core/error.h"
#include "core/text.h"

namespace likeness::eval {
namespace {

using Rule = Gate::Rule;
constexpr Rule kRules[] = {Rule::kAtLeast, Rule::kAtMost, Rule::kWorseByAtMost, Rule::kMaxOverGeomean};

bool is_date(const std::string& text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (std::size_t i : {0u, 1u, 2u, 3u, 5u, 6u, 8u, 9u})
    if (text[i] < '0' || text[i] > '9') return false;
  const int month = std::stoi(text.substr(5, 2)), day = std::stoi(text.substr(8));
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

NamedFigure read_metric(Config& c, const std::string& key, const std::optional<double>& threshold) {
  const std::string name = c.get_string(key, "");
  if (name.empty()) c.fail(key, join_words(figure_names()), "nothing");
  NamedFigure f;
  if (!find_figure(name, threshold.value_or(0), &f)) {
    const std::string guess = nearest(name, figure_names());
    c.fail(key, join_words(figure_names()), name + (guess.empty() ? "" : " (did you mean " + guess + "?)"));
  }
  if (name.ends_with("@threshold") && !threshold)
    c.fail(key, "operating_point.threshold, which " + name + " is read at", "none");
  return f;
}

void read_rule(Config& c, const std::string& at, Gate& gate) {
  std::vector<std::string> keys, given;
  for (Rule rule : kRules) keys.push_back(to_string(rule));
  for (Rule rule : kRules) {
    const std::string key = at + to_string(rule);
    const double value = c.get_double(key, NAN, -1, 1e6);
    if (!c.has(key)) continue;
    given.push_back(to_string(rule));
    gate.rule = rule, gate.limit = value;
  }
  if (given.size() != 1)
    c.fail(at.substr(0, at.size() - 1), "one of " + join_words(keys), given.empty() ? "none" : join_words(given));
  const std::string key = at + given[0];
  const Figure& f = gate.metric.figure;
  const bool rate = f.kind == Figure::Kind::kFmr || f.kind == Figure::Kind::kFnmr;
  auto refuse = [&](const std::string& expected) { c.fail(key, expected, given[0] + " of " + gate.metric.name); };
  if (gate.rule == Rule::kAtLeast && !gate.metric.higher_is_better) refuse("tar or auc, which are better when higher");
  if (gate.rule == Rule::kAtMost && gate.metric.higher_is_better)
    refuse("fmr, fnmr or eer, which are better when lower");
  if ((gate.rule == Rule::kAtLeast || gate.rule == Rule::kAtMost) && !(gate.limit >= 0 && gate.limit <= 1))
    refuse("a rate from 0 to 1");
  if (gate.rule == Rule::kMaxOverGeomean && (gate.by.empty() || !rate || gate.metric.higher_is_better))
    refuse("fmr or fnmr with by: attributes");
  if (gate.rule == Rule::kMaxOverGeomean && gate.limit < 1) refuse("1 or more");
  if (!gate.by.empty() && !rate) refuse("tar, fnmr or fmr, which groups have");
  if (gate.by.empty() && f.kind == Figure::Kind::kFmr && f.how == Figure::At::kFmrTarget)
    refuse("by: attributes (of everybody, it is the target)");
}

GateSpec read(Config c, const std::string& file) {
  GateSpec s;
  s.file = file;
  s.alpha = c.get_double("alpha", s.alpha, 1e-4, 0.5);
  s.block_inconclusive = c.get_choice("on_inconclusive", "block", {"block", "warn"}) == "block";
  s.resample.replicates = c.get_int("resample.replicates", s.resample.replicates, 100, 1'000'000);
  s.resample.seed =
      static_cast<std::uint64_t>(c.get_int("resample.seed", static_cast<std::int64_t>(s.resample.seed), 0));
  s.digest = c.get_string("data.digest", "");
  const std::int64_t pairs = c.get_int("data.pairs", 0, 0);
  if (c.has("data.pairs")) s.pairs = pairs;
  s.max_fta = c.get_double("data.max_fta", s.max_fta, 0, 1);
  const double threshold = c.get_double("operating_point.threshold", 0, -1, 1);
  if (c.has("operating_point.threshold")) s.threshold = threshold;
  s.precision = c.get_string("operating_point.precision", "");
  s.flip = c.get_choice("operating_point.flip", "", {"none", "sum"});
  std::vector<std::string> names = c.sections("gates");
  for (const std::string& name : names) {
    const std::string at = "gates." + name + ".";
    Gate g;
    g.name = name;
    g.metric = read_metric(c, at + "metric", s.threshold);
    g.by = c.get_strings(at + "by", {});
    read_rule(c, at, g);
    s.gates.push_back(g);
  }
  for (const std::string& name : c.sections("waivers")) {
    const std::string at = "waivers." + name;
    const Waiver w{name, c.get_string(at + ".until", ""), c.get_string(at + ".reason", "")};
    if (std::find(names.begin(), names.end(), name) == names.end()) c.fail(at, "a gate: " + join_words(names), name);
    if (!is_date(w.until)) c.fail(at + ".until", "the last day, as 2027-01-31", w.until.empty() ? "nothing" : w.until);
    if (w.reason.empty()) c.fail(at + ".reason", "why the gate need not pass", "nothing");
    s.waivers.push_back(w);
  }
  c.refuse_unknown();
  if (s.gates.empty()) c.fail("gates", "at least one gate", "none");
  return s;
}

}  // namespace

std::string to_string(Rule rule) {
  switch (rule) {
    case Rule::kAtLeast:
      return "at_least";
    case Rule::kAtMost:
      return "at_most";
    case Rule::kWorseByAtMost:
      return "worse_by_at_most";
    case Rule::kMaxOverGeomean:
      return "max_over_geomean";
  }
  LIKENESS_ASSERT(false);
}

GateSpec read_gate_spec(const std::filesystem::path& path) { return read(Config::load(path), path.string()); }
GateSpec parse_gate_spec(const std::string& yaml, const std::string& name) {
  return read(Config::parse(yaml, name), name);
}

}  // namespace likeness::eval
