#include "eval/compare.h"

#include <cmath>

#include "core/error.h"
#include "core/progress.h"
#include "eval/text.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

std::string name_of(const Figure& f) {
  if (f.kind == Figure::Kind::kEer) return "eer";
  if (f.kind == Figure::Kind::kAuc) return "auc";
  const std::string rate = f.kind == Figure::Kind::kFmr ? "fmr" : "fnmr";
  return rate + "@" + (f.how == Figure::At::kThreshold ? "threshold=" : "fmr=") + number_name(f.at);
}

std::vector<Figure> figures_of(const CompareOptions& options, std::size_t groups) {
  using Kind = Figure::Kind;
  std::vector<Figure> list = {{Kind::kEer, Figure::At::kFmrTarget, 0, -1}, {Kind::kAuc, Figure::At::kFmrTarget, 0, -1}};
  for (int g = -1; g < static_cast<int>(groups); ++g)
    for (const OperatingTarget& t : options.at) {
      const bool by_fmr = t.kind == OperatingTarget::Kind::kFmr;
      const Figure::At how = by_fmr ? Figure::At::kFmrTarget : Figure::At::kThreshold;
      list.push_back({Kind::kFnmr, how, t.value, g});
      // Of everybody, the FMR at a target is that target for both.
      if (!by_fmr || g >= 0) list.push_back({Kind::kFmr, how, t.value, g});
    }
  return list;
}

Change change_of(const NamedFigure& named, const Where& where, const PairedFigure& p, double level) {
  Change c{named.name, where, p, {}, "suppressed", 0};
  if (p.support.support == Support::kSuppressed) return c;
  const Limits loss = p.loss.limits(level);
  c.difference = named.higher_is_better ? Limits{-loss.high, -loss.low} : loss;
  c.verdict = loss.high < 0 ? "better" : loss.low > 0 ? "worse" : "no difference shown";
  c.margin = (loss.high - loss.low) / 2;
  return c;
}

json number(double x) { return std::isfinite(x) ? json(x) : json(nullptr); }

json side(double value, double threshold, const Basis& b, bool suppressed) {
  json j = {{"value", suppressed ? json(nullptr) : number(value)}, {"status", to_string(b.support.support)}};
  if (!b.support.why.empty()) j["why"] = b.support.why;
  if (b.comparisons > 0) j["numerator"] = b.errors, j["denominator"] = b.comparisons;
  if (!suppressed && std::isfinite(threshold)) j["threshold"] = threshold;
  return j;
}

json to_json(const Change& c, const CompareOptions& options) {
  const PairedFigure& p = c.figure;
  const bool none = p.support.support == Support::kSuppressed;
  json j = {{"metric", c.metric},
            {"where", c.where},
            {"a", side(p.a, p.threshold_a, p.basis_a, none)},
            {"b", side(p.b, p.threshold_b, p.basis_b, none)},
            {"people", p.basis_a.people},
            {"verdict", c.verdict},
            {"status", to_string(p.support.support)}};
  if (!p.support.why.empty()) j["why"] = p.support.why;
  if (none) return j;
  j["difference"] = number(p.b - p.a);
  j["low"] = c.difference.low, j["high"] = c.difference.high, j["margin"] = c.margin;
  j["interval"] = {{"method", kSubjectBootstrap},
                   {"level", options.level},
                   {"unit", "subject"},
                   {"replicates", options.bootstrap.replicates},
                   {"seed", options.bootstrap.seed}};
  if (p.mcnemar)
    j["mcnemar"] = {{"only_a_wrong", p.only_a_wrong},
                    {"only_b_wrong", p.only_b_wrong},
                    {"p", *p.mcnemar},
                    {"assumes", "independent pairs"}};
  return j;
}

// In points of a percentage where the figure reads as one, with its sign.
std::string signed_text(double x) {
  return std::string(x < 0 ? "-" : "+") + (std::abs(x) < 1e-9 ? std::string("0 %") : rate_text(std::abs(x)));
}

}  // namespace

Comparison compare(ScoreArchive a, ScoreArchive b, const std::string& a_name, const std::string& b_name,
                   const CompareOptions& options) {
  pair_archives(a, b, a_name, b_name);
  Comparison out;
  out.options = options;
  out.protocol = a.protocol, out.trial_digest = a.trial_digest;
  out.a = {{"path", a_name}, {"contract", json::parse(a.contract_json, nullptr, false)}};
  out.b = {{"path", b_name}, {"contract", json::parse(b.contract_json, nullptr, false)}};
  const GroupedScores x = group_scores(std::move(a), options.by), y = group_scores(std::move(b), options.by);
  out.people = x.people;
  out.genuine = x.table.all.genuine_total(), out.impostors = x.table.all.impostor_total();
  if (out.genuine == 0 || out.impostors == 0)
    fail_data({out.genuine == 0 ? "no genuine pairs" : "no impostor pairs", a_name, "both classes",
               format_count(x.scores.size()) + " pairs of one", ""});

  const std::vector<Figure> figures = figures_of(options, x.groups.size());
  const std::vector<PairedFigure> paired = pair_figures(x, y, figures, options.bootstrap);
  for (std::size_t k = 0; k < figures.size(); ++k)
    out.changes.push_back(change_of({name_of(figures[k]), figures[k], figures[k].kind == Figure::Kind::kAuc},
                                    x.where_of(figures[k]), paired[k], options.level));
  return out;
}

json Comparison::to_json() const {
  json list = json::array();
  for (const Change& c : changes) list.push_back(likeness::eval::to_json(c, options));
  return {
      {"schema", "likeness.comparison/1"},
      {"protocol", protocol},
      {"a", a},
      {"b", b},
      {"data", {{"trial_digest", trial_digest}, {"people", people}, {"genuine", genuine}, {"impostors", impostors}}},
      {"by", options.by},
      {"changes", list}};
}

std::string Comparison::to_text() const {
  auto count = [](std::int64_t n) { return format_count(static_cast<std::uint64_t>(n)); };
  std::string text = protocol + ": " + count(genuine) + " genuine and " + count(impostors) + " impostor pairs of " +
                     count(people) + " people, paired\n";
  text += "  A " + a.value("path", "") + "\n  B " + b.value("path", "") + "\n";
  Where where;
  for (const Change& c : changes) {
    if (c.where != where) text += where_text(where = c.where) + "\n";
    std::string line = "  " + c.metric;
    auto at = [&](std::size_t column, const std::string& part) {
      line += std::string(line.size() + 2 < column ? column - line.size() : 2, ' ') + part;
    };
    if (c.verdict == "suppressed") {
      at(26, "suppressed: " + c.figure.support.why);
    } else {
      at(26, rate_text(c.figure.a) + " -> " + rate_text(c.figure.b));
      at(50, signed_text(c.figure.b - c.figure.a) + "  [" + signed_text(c.difference.low) + " to " +
                 signed_text(c.difference.high) + "]");
      at(92, "B " + c.verdict);
      if (c.verdict == "no difference shown")
        line = line.substr(0, line.rfind("B no")) + c.verdict + "; one of " + rate_text(c.margin) + " could have been";
      if (c.figure.support.support != Support::kOk)
        line += "; " + to_string(c.figure.support.support) + ": " + c.figure.support.why;
    }
    text += line + "\n";
  }
  return text;
}

}  // namespace likeness::eval
