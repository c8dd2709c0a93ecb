// One self-contained HTML page from results: nothing is loaded, it works from file://.
#pragma once

#include <string>
#include <vector>

#include "eval/result.h"

namespace likeness::eval {

struct NamedResult {
  std::string name;  // of its file, shown beside its figures
  Result result;
};

// Headline figures and tables are written into the page as text; ROC, DET, histograms and group bars are drawn by the embedded
// script from the results' own points. Everything from the results is escaped. When the script has drawn all charts it sets
// data-charts on <html> to their number, which tests look for.
std::string html_report(const std::vector<NamedResult>& results);

}  // namespace likeness::eval
