#include "train/page/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <kainjow/mustache.hpp>
#include <limits>

namespace likeness::train {
namespace {

using kainjow::mustache::html_escape;

constexpr double kWidth = 520, kHeight = 240, kLeft = 58, kRight = 12, kTop = 8, kBottom = 26;  // SVG units
// Okabe and Ito's palette: told apart with any kind of colour vision.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
constexpr const char* kDashes[] = {"", "7 4", "2 3", "9 3 2 3"};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double v) { low = std::min(low, v), high = std::max(high, v); }
  bool empty() const { return low > high; }
};

std::string tick_text(double v) {
  if (std::abs(v) >= 1e4 && std::abs(v) < 1e7) return fmt::format("{:g}k", v / 1000);
  return fmt::format("{:.4g}", v);
}

using Points = std::vector<std::pair<double, double>>;

// Lowest and highest value of every pixel column, in the order they came.
Points thinned(const Points& points, const Range& x) {
  constexpr auto kColumns = static_cast<std::size_t>(kWidth);
  if (points.size() <= 2 * kColumns) return points;
  const auto column = [&](double v) { return std::floor((v - x.low) / (x.high - x.low) * kColumns); };
  Points out;
  for (std::size_t i = 0; i < points.size();) {
    std::size_t end = i, low = i, high = i;
    for (; end < points.size() && column(points[end].first) == column(points[i].first); ++end) {
      if (points[end].second < points[low].second) low = end;
      if (points[end].second > points[high].second) high = end;
    }
    out.push_back(points[std::min(low, high)]);
    if (low != high) out.push_back(points[std::max(low, high)]);
    i = end;
  }
  return out;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  if (!(high > low)) return {low - 1, low, low + 1};
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power * (1 + 1e-9)) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  const auto first = static_cast<long long>(std::floor(low / step + 1e-9));
  for (long long i = first;; ++i) {
    ticks.push_back(static_cast<double>(i) * step);
    if (ticks.back() >= high - 1e-9 * step) return ticks;
  }
}

std::string line_chart(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  std::vector<ChartSeries> drawn;
  Range x, y;
  for (const ChartSeries& s : series) {
    ChartSeries kept{s.name, {}};
    for (auto [px, py] : s.points) {
      if (!std::isfinite(px) || !std::isfinite(py) || (options.logarithmic && py <= 0)) continue;
      if (options.logarithmic) py = std::log10(py);
      x.add(px), y.add(py);
      kept.points.emplace_back(px, py);
    }
    drawn.push_back(std::move(kept));
  }
  if (x.empty()) return "";
  if (x.low == x.high) x.high = x.low + 1;
  const std::vector<double> across = axis_ticks(x.low, x.high, 6), up = axis_ticks(y.low, y.high, 4);
  const auto at_x = [&](double v) { return kLeft + (v - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight); };
  const auto at_y = [&](double v) {
    return kTop + (up.back() - v) / (up.back() - up.front()) * (kHeight - kTop - kBottom);
  };

  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", kWidth, kHeight,
                                html_escape(options.title));
  for (double v : up)
    svg += fmt::format(
        R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
        kLeft, at_y(v), kWidth - kRight, kLeft - 6, at_y(v) + 4, tick_text(options.logarithmic ? std::pow(10, v) : v));
  for (double v : across)
    if (v >= x.low && v <= x.high)
      svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", at_x(v), kHeight - 8,
                         tick_text(v));
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    std::string path;
    for (const auto& [px, py] : thinned(drawn[i].points, x))
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', at_x(px), at_y(py));
    const char* colour = kColours[i % std::size(kColours)];
    if (drawn[i].points.size() == 1)
      svg += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)", at_x(drawn[i].points[0].first),
                         at_y(drawn[i].points[0].second), colour);
    else if (!path.empty())
      svg += fmt::format(
          R"(<path fill="none" stroke="{}" stroke-width="1.8" stroke-dasharray="{}" d="{}"><title>{}</title></path>)",
          colour, kDashes[i % std::size(kDashes)], path, html_escape(drawn[i].name));
  }
  if (drawn.size() > 1)
    for (std::size_t i = 0; i < drawn.size(); ++i)
      svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end" fill="{}">{}</text>)", kWidth - kRight,
                         kTop + 12 + 14 * static_cast<double>(i), kColours[i % std::size(kColours)],
                         html_escape(drawn[i].name));
  return svg + "</svg>";
}

}  // namespace likeness::train
