#include "eval/bias/bias.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/progress.h"
#include "eval/bias/differentials.h"

namespace likeness::eval {
namespace {

constexpr int kMostGroups = 64;  // histograms are kept per pair of groups

const AttributeColumn& find_attribute(const AttributeTable& table, const std::string& name) {
  if (const AttributeColumn* column = table.find(name)) return *column;
  std::string have;
  for (const AttributeColumn& c : table.columns) have += (have.empty() ? "" : ", ") + c.name;
  fail_usage({"the set has no such attribute", "--by " + name, have.empty() ? "a set with attributes" : have, name,
              "attributes enter a set at import: likeness data import … --attributes FILE.csv"});
}

// The cell (a, b) at a threshold: how many of its comparisons of one class are accepted.
struct CellRate {
  std::int64_t accepted = 0, total = 0;
};
CellRate at(const Tally& counts, int a, int b, bool genuine, const Curve& cell, double threshold) {
  const OperatingPoint p = at_threshold(cell, threshold);
  return {genuine ? p.genuine_accepted : p.impostors_accepted, counts.cell(a, b, genuine).total()};
}

Measure false_match_rate(const CellRate& c, const OperatingTarget& target, double threshold, std::int64_t subjects) {
  // Support by expected errors where the threshold was set by a target, else by those observed.
  Verdict v = target.kind == OperatingTarget::Kind::kFmr ? support_of_target(c.total, target.value, "impostor pairs")
                                                          : support_of_counts(c.accepted, c.total, "impostor pairs");
  Measure m = Measure::rate(c.accepted, c.total, "pair", weaker(v, support_of_subjects(subjects)));
  m.threshold = threshold;
  return m;
}

Measure false_non_match_rate(const CellRate& c, double threshold, std::int64_t subjects) {
  const std::int64_t missed = c.total - c.accepted;
  Measure m = Measure::rate(missed, c.total, "pair", weaker(support_of_counts(missed, c.total, "genuine pairs"), support_of_subjects(subjects)));
  m.threshold = threshold;
  return m;
}

Where unknown_of(const std::vector<std::string>& by) {
  Where where;
  for (const std::string& name : by) where[name] = "unknown";
  return where;
}

// One half of the differentials: a rate over the groups that support it. The provisional ones (a zero among three people would
// make every ratio undefined) only stand in when fewer than two groups are ok.
nlohmann::json half_json(const std::vector<const GroupResult*>& groups, const char* metric, std::optional<Spread>* out) {
  auto supported = [&](Support least) {
    std::vector<const GroupResult*> list;
    for (const GroupResult* g : groups)
      if (g->metrics.at(metric).value && g->metrics.at(metric).status.support <= least) list.push_back(g);
    return list;
  };
  std::vector<const GroupResult*> used = supported(Support::kOk);
  const bool provisional = used.size() < 2;
  if (provisional) used = supported(Support::kProvisional);
  std::vector<double> rates;
  for (const GroupResult* g : used) rates.push_back(*g->metrics.at(metric).value);
  nlohmann::json j = {{"groups", rates.size()}, {"groups_left_out", groups.size() - rates.size()}, {"provisional", provisional}};
  j["members"] = nlohmann::json::array();
  for (const GroupResult* g : used) j["members"].push_back(g->where);
  if (rates.size() < 2) {
    j["why"] = "fewer than two groups have enough comparisons";
    return j;
  }
  const Spread s = spread(rates);
  *out = s;
  auto optional = [](const std::optional<double>& x) { return x ? nlohmann::json(*x) : nlohmann::json(nullptr); };
  j["max_over_min"] = optional(s.max_over_min);
  j["max_over_geomean"] = optional(s.max_over_geomean);
  j["gini"] = s.gini;
  j["gap"] = s.gap;
  j["worst"] = {{"where", used[s.worst]->where}, {"value", rates[s.worst]}};
  return j;
}

nlohmann::json differentials_of(const std::vector<GroupResult>& groups, const Where& unknown) {
  std::vector<const GroupResult*> own;
  for (const GroupResult& g : groups)
    if (!g.reference && g.where != unknown) own.push_back(&g);
  std::optional<Spread> fmr, fnmr;
  nlohmann::json j = {{"fmr", half_json(own, "fmr", &fmr)}, {"fnmr", half_json(own, "fnmr", &fnmr)}};
  // Mixtures compare the same groups in both halves, or nothing.
  if (!fmr || !fnmr || j["fmr"]["members"] != j["fnmr"]["members"]) return j;
  for (double alpha : {0.25, 0.5, 0.75}) {
    const std::string a = number_name(alpha);
    const auto ir = inequity_rate(*fmr, *fnmr, alpha);
    j["fdr"][a] = fairness_discrepancy_rate(*fmr, *fnmr, alpha);
    j["garbe"][a] = garbe(*fmr, *fnmr, alpha);
    j["inequity_rate"][a] = ir ? nlohmann::json(*ir) : nlohmann::json(nullptr);
  }
  return j;
}

}  // namespace

GroupTable group_pictures(const EmbeddingArchive& archive, const std::vector<std::string>& by) {
  if (by.empty()) fail_usage({"no attribute to group by", "--by", "names of attributes", "none", "--by gender"});
  std::vector<const AttributeColumn*> columns;
  for (const std::string& name : by) columns.push_back(&find_attribute(archive.attributes, name));

  std::map<std::vector<std::string>, std::vector<std::size_t>> rows;  // sorted by name: the order of groups is stable
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < archive.size(); ++i) {
    std::vector<std::string> values;
    for (const AttributeColumn* c : columns) values.push_back(c->text(i));
    const bool known = std::none_of(values.begin(), values.end(), [](const std::string& v) { return v.empty(); });
    (known ? rows[values] : unknown).push_back(i);
  }
  if (rows.empty())
    fail_data({"no picture has a known value", "--by " + where_text(unknown_of(by)), "pictures with the attribute", format_count(archive.size()) + " unknown", ""});
  if (rows.size() > kMostGroups)
    fail_usage({"too many groups", "--by", "at most " + std::to_string(kMostGroups), std::to_string(rows.size()), "name fewer attributes"});

  GroupTable t;
  t.grouping.count = static_cast<int>(rows.size());
  t.grouping.of.assign(archive.size(), t.grouping.count);
  auto add = [&](const std::vector<std::size_t>& members, std::int32_t group) {
    std::set<std::int64_t> subjects;
    std::int64_t failed = 0;
    for (std::size_t i : members) {
      t.grouping.of[i] = group;
      subjects.insert(archive.subjects[i] >= 0 ? archive.subjects[i] : -2 - static_cast<std::int64_t>(i));
      failed += archive.failed[i] != 0;
    }
    t.subjects.push_back(static_cast<std::int64_t>(subjects.size()));
    t.pictures.push_back(static_cast<std::int64_t>(members.size()));
    t.failed.push_back(failed);
  };
  for (const auto& [values, members] : rows) {
    Where where;
    for (std::size_t k = 0; k < by.size(); ++k) where[by[k]] = values[k];
    t.names.push_back(std::move(where));
    add(members, static_cast<std::int32_t>(t.names.size()) - 1);
  }
  add(unknown, t.grouping.count);
  return t;
}

Result bias(const EmbeddingArchive& archive, const Trials& trials, const BiasOptions& options) {
  const GroupTable table = group_pictures(archive, options.by);
  const int known = table.grouping.count;
  Result result;
  result.kind = "bias";
  result.convention = "fixed-fmr";
  describe(result, archive, trials);
  const Tally counts = tally(archive, trials, table.grouping, {options.at}, options.threads, trials.source);
  const Curve pooled = counts.pooled();
  const OperatingPoint p = operate(pooled, options.at);
  const bool by_fmr = options.at.kind == OperatingTarget::Kind::kFmr;
  const Verdict global = by_fmr ? support_of_target(p.impostor_total, options.at.value, "impostor pairs") : Verdict{};

  const std::int64_t missed = p.genuine_total - p.genuine_accepted;
  auto pooled_rate = [&](std::int64_t k, std::int64_t n, const char* trials_name) {
    Measure m = Measure::rate(k, n, "pair", weaker(global, support_of_counts(k, n, trials_name)));
    m.threshold = p.threshold;
    return m;
  };
  result.metrics["fnmr@" + (by_fmr ? options.at.name() : "threshold")] = pooled_rate(missed, p.genuine_total, "genuine pairs");
  result.metrics["fmr@threshold"] = pooled_rate(p.impostors_accepted, p.impostor_total, "impostor pairs");
  result.data["genuine"] = p.genuine_total, result.data["impostors"] = p.impostor_total;
  result.conditions["by"] = options.by;
  result.conditions["at"] = options.at.name();
  result.conditions["threshold"] = p.threshold;
  result.conditions["threshold_from"] = by_fmr ? "these trials, all impostors pooled (in-sample)" : "given";

  if (options.plots) {
    result.curves.push_back(plot_curve(pooled, {}));
    result.histograms.push_back({{}, -1, 1, counts.histogram(true, 128), counts.histogram(false, 128)});
  }
  std::int64_t mixed = 0;
  const Where unknown = unknown_of(options.by);
  auto name = [&](int g) { return g == known ? unknown : table.names[static_cast<std::size_t>(g)]; };
  for (int g = 0; g <= known; ++g) {
    const auto i = static_cast<std::size_t>(g);
    if (g == known && table.pictures[i] == 0) break;
    const Curve own = counts.between(g, g, g);
    GroupResult r{name(g), std::nullopt, table.subjects[i], table.pictures[i], {}};
    r.metrics["fmr"] = false_match_rate(at(counts, g, g, false, own, p.threshold), options.at, p.threshold, r.subjects);
    r.metrics["fnmr"] = false_non_match_rate(at(counts, g, g, true, own, p.threshold), p.threshold, r.subjects);
    r.metrics["fta"] = Measure::rate(table.failed[i], table.pictures[i], "picture",
                                     weaker(support_of_counts(table.failed[i], table.pictures[i], "pictures"), support_of_subjects(r.subjects)));
    if (options.plots && g < known && r.metrics["fmr"].value) {  // what is suppressed is not drawn either
      result.curves.push_back(plot_curve(own, r.where));
      result.histograms.push_back({r.where, -1, 1, counts.histogram(true, 128, g), counts.histogram(false, 128, g)});
    }
    result.groups.push_back(std::move(r));
  }
  for (int a = 0; a <= known; ++a)
    for (int b = counts.ordered() ? 0 : a + 1; b <= known; ++b) {
      if (a == b) continue;
      mixed += counts.cell(a, b, true).total();
      if (a == known || b == known) continue;
      const auto x = static_cast<std::size_t>(a), y = static_cast<std::size_t>(b);
      GroupResult r{name(a), name(b), table.subjects[x] + table.subjects[y], table.pictures[x] + table.pictures[y], {}};
      const CellRate cell = at(counts, a, b, false, counts.between(a, a, b), p.threshold);
      r.metrics["fmr"] = false_match_rate(cell, options.at, p.threshold, std::min(table.subjects[x], table.subjects[y]));
      result.groups.push_back(std::move(r));
    }
  result.conditions["genuine_pairs_across_groups"] = mixed;
  result.differentials = differentials_of(result.groups, unknown);
  return result;
}

}  // namespace likeness::eval
