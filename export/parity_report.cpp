#include <fmt/format.h>

#include <algorithm>

#include "export/parity.h"

namespace likeness::exporting {

bool ParityReport::passed() const { return failure().empty(); }

std::string ParityReport::failure() const {
  bool independent = false;
  for (const EngineParity& e : engines) {
    if (e.ran && !e.agrees)
      return fmt::format("{} differs: cosine {:.9f} for {}", e.engine, e.worst_cosine, e.worst_case);
    independent |= e.ran && e.independent;
  }
  return independent ? "" : "no engine but our own could run the file";
}

nlohmann::json ParityReport::to_json() const {
  nlohmann::json rows = nlohmann::json::array();
  for (const EngineParity& e : engines) {
    nlohmann::json row{{"engine", e.engine},
                       {"independent", e.independent},
                       {"status", !e.ran     ? "not run"
                                  : e.agrees ? "agrees"
                                             : "differs"}};
    if (e.ran)
      row.update({{"worst_cosine", e.worst_cosine},
                  {"worst_case", e.worst_case},
                  {"largest_difference", e.largest_difference},
                  {"reference_scale", e.reference_scale}});
    else
      row["why"] = e.why_not;
    rows.push_back(std::move(row));
  }
  return {{"passed", passed()},
          {"why", failure()},
          {"reference", "f64 interpreter"},
          {"min_cosine", options.min_cosine},
          {"batches", options.batches},
          {"pictures", pictures},
          {"engines", rows}};
}

std::string ParityReport::to_text() const {
  std::string sizes;
  for (std::size_t i = 0; i < options.batches.size(); ++i)
    sizes += (i == 0 ? "" : i + 1 == options.batches.size() ? " and " : ", ") + std::to_string(options.batches[i]);
  std::string text = fmt::format(
      "parity with the f64 interpreter: {} pictures (noise, zeros, face-like) through batches of {};\n"
      "an engine agrees when 1 - cosine <= {:.0e} for every picture\n"
      "  {:<12} {:>12} {:>14}  {}\n",
      pictures, sizes, 1 - options.min_cosine, "engine", "1 - cosine", "largest |diff|", "verdict");
  for (const EngineParity& e : engines) {
    if (!e.ran)
      text += fmt::format("  {:<12} {:>12} {:>14}  not run: {}\n", e.engine, "-", "-", e.why_not);
    else
      text += fmt::format("  {:<12} {:>12.1e} {:>14.1e}  {}\n", e.engine, std::max(0.0, 1 - e.worst_cosine),
                          e.largest_difference, e.agrees ? "agrees" : "DIFFERS (" + e.worst_case + ")");
  }
  return text;
}

}  // namespace likeness::exporting
