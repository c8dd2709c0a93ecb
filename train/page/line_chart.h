// A line chart as one SVG element: no script, prints, follows the page's colours.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace likeness::train {

struct ChartSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; points that are not finite are left out
};

struct ChartOptions {
  std::string title;         // read aloud, and shown above the chart
  bool logarithmic = false;  // y; values that are not positive are left out
};

// Axes end at round numbers; a series of many points is drawn through the lowest and highest of every pixel column, so
// that no spike is lost. Lines differ in colour and dash. Empty where no point can be drawn.
std::string line_chart(const ChartOptions& options, const std::vector<ChartSeries>& series);

// Round steps that cover [low, high] with about `count` of them: 0, 0.5, 1, … For tests, too.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace likeness::train
