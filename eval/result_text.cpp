// A result for a person: one line per rate, with its count, its interval and its threshold.
#include <algorithm>

#include "core/progress.h"
#include "eval/text.h"

namespace likeness::eval {
namespace {

constexpr std::ptrdiff_t kFewCrosses = 12;

std::string line(const std::string& name, const Measure& m) {
  std::string text = "  " + name;
  // Columns, but never two words in one another.
  auto at = [&](std::size_t column, const std::string& part) {
    if (part.empty()) return;
    text += std::string(text.size() + 2 < column ? column - text.size() : 2, ' ') + part;
  };
  at(20, value_text(name, m));
  at(33, count_text(m));
  const std::string interval = interval_text(name, m), threshold = threshold_text(m);
  at(54, interval.empty() ? "" : "[" + interval + "]");
  at(80, threshold.empty() ? "" : "t = " + threshold);
  if (m.status.support != Support::kOk) at(94, to_string(m.status.support) + (m.status.why.empty() ? "" : ": " + m.status.why));
  return text + "\n";
}

std::string half_text(const char* rate, const nlohmann::json& d) {
  std::string text = std::string("between groups, ") + rate + ": ";
  if (!d.contains("worst")) return text + d.value("why", "not computed") + "\n";
  auto ratio = [&](const char* key) { return d.at(key).is_null() ? std::string("undefined") : plain_text(d.at(key).get<double>()); };
  text += "worst " + where_text(d.at("worst").at("where").get<Where>()) + " at " + rate_text(d.at("worst").at("value").get<double>());
  text += ", max/min " + ratio("max_over_min") + ", max/geometric mean " + ratio("max_over_geomean") + ", over ";
  text += std::to_string(d.at("groups").get<int>()) + " groups";
  return text + (d.value("provisional", false) ? " (provisional)\n" : "\n");
}

}  // namespace

std::string Result::to_text() const {
  auto count = [&](const char* key) {
    return data.contains(key) && data.at(key).is_number_integer() ? format_count(data.at(key).get<std::uint64_t>()) : std::string("?");
  };
  std::string text = kind + ", " + protocol + ", convention " + convention + ": ";
  if (kind == "identification") text += count("probes") + " searches of " + count("templates") + " templates";
  else text += count("genuine") + " genuine and " + count("impostors") + " impostor pairs";
  text += " of " + count("pictures") + " pictures, flip " + conditions.value("flip", "?") + "\n";
  for (const auto& [name, m] : metrics) text += line(name, m);
  if (!folds.empty()) {
    const auto [least, most] = std::minmax_element(folds.begin(), folds.end(), [](const auto& a, const auto& b) { return a.accuracy < b.accuracy; });
    text += "  " + std::to_string(folds.size()) + " folds, accuracy " + rate_text(least->accuracy) + " to " + rate_text(most->accuracy);
    if (conditions.contains("insightface")) text += ", standard deviation " + rate_text(conditions.at("insightface").value("accuracy_std", 0.0));
    text += "\n";
  }
  // Many attributes make many pairs of groups, nearly all of them suppressed: counted here, listed in the JSON and the report.
  const auto crosses = std::count_if(groups.begin(), groups.end(), [](const GroupResult& g) { return g.reference.has_value(); });
  for (const GroupResult& g : groups) {
    if (g.reference && crosses > kFewCrosses) continue;
    text += where_text(g.where) + (g.reference ? " against " + where_text(*g.reference) : std::string());
    text += " (" + format_count(static_cast<std::uint64_t>(g.subjects)) + " people)\n";
    for (const auto& [name, m] : g.metrics) text += line(name, m);
  }
  if (crosses > kFewCrosses) text += "across groups: " + format_count(static_cast<std::uint64_t>(crosses)) + " cells, see --json or the report\n";
  if (differentials.is_object())
    for (const char* half : {"fmr", "fnmr"})
      if (differentials.contains(half)) text += half_text(half, differentials.at(half));
  return text;
}

}  // namespace likeness::eval
