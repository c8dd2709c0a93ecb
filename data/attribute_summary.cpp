#include "data/attribute_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/progress.h"

namespace likeness::data {
namespace {

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

// Categories in their own order, then "unknown" if there is any.
Counts count(const AttributeColumn& column) {
  Counts counts;
  for (const std::string& category : column.categories) counts.emplace_back(category, 0);
  std::uint64_t unknown = 0;
  for (const std::uint64_t code : column.codes) {
    unknown += code == 0;
    for (std::size_t k = 0; k < column.categories.size(); ++k) counts[k].second += code >> k & 1;
  }
  if (unknown > 0) counts.emplace_back("unknown", unknown);
  return counts;
}

}  // namespace

nlohmann::json attribute_json(const AttributeTable& table) {
  nlohmann::json json = nlohmann::json::object();
  for (const AttributeColumn& column : table.columns) {
    nlohmann::json& counts = json[column.name] = nlohmann::json::object();
    for (const auto& [category, n] : count(column)) counts[category] = n;
  }
  return json;
}

std::string attribute_text(const AttributeTable& table) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (const AttributeColumn& column : table.columns) {
    Counts counts = count(column);
    std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string line;
    for (std::size_t k = 0; k < std::min(counts.size(), kShown); ++k)
      line += fmt::format("{}{} {}", k ? ", " : "", counts[k].first, format_count(counts[k].second));
    if (counts.size() > kShown) line += fmt::format(" and {} more", counts.size() - kShown);
    text += fmt::format("  {:<10} {}\n", column.name, line);
  }
  return text;
}

}  // namespace likeness::data
