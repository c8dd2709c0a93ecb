#include "core/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace likeness {
namespace {

// Eyes, nose and corners of the mouth of the template that ArcFace and its successors train on, 112 x 112.
constexpr Landmarks kArcface112{
    {{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}}};

bool is_finite(const Landmarks& points) {
  return std::all_of(points.begin(), points.end(), [](Point p) { return std::isfinite(p.x) && std::isfinite(p.y); });
}

Point mean_of(const Landmarks& points) {
  Point sum;
  for (const Point p : points) sum = {sum.x + p.x, sum.y + p.y};
  return {sum.x / 5, sum.y / 5};
}

}  // namespace

FaceGeometry FaceGeometry::arcface(int size) {
  LIKENESS_ASSERT(size > 0);
  Landmarks points = kArcface112;
  for (Point& p : points) p = {p.x * size / 112, p.y * size / 112};
  return {size, size, points, "arcface"};
}

FaceGeometry FaceGeometry::custom(int width, int height, const Landmarks& points) {
  return {width, height, points, "custom"};
}

FaceGeometry FaceGeometry::unknown(int width, int height) { return {width, height, std::nullopt, "unknown"}; }

bool FaceGeometry::same_as(const FaceGeometry& other) const {
  if (width != other.width || height != other.height || points.has_value() != other.points.has_value()) return false;
  if (!points) return true;
  return std::equal(points->begin(), points->end(), other.points->begin(),
                    [](Point p, Point q) { return std::abs(p.x - q.x) <= 0.01 && std::abs(p.y - q.y) <= 0.01; });
}

std::string FaceGeometry::describe() const {
  std::string text = fmt::format("{} {}x{}", name, width, height);
  if (name == "custom" && points) text += fmt::format(" ({:.4g},{:.4g} …)", (*points)[0].x, (*points)[0].y);
  return text;
}

std::string FaceGeometry::to_json() const {
  nlohmann::ordered_json json{{"name", name}, {"width", width}, {"height", height}, {"points", nullptr}};
  if (points) {
    json["points"] = nlohmann::ordered_json::array();
    for (const Point p : *points) json["points"].push_back({p.x, p.y});
  }
  return json.dump();
}

FaceGeometry FaceGeometry::from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    FaceGeometry geometry{json.at("width").get<int>(), json.at("height").get<int>(), std::nullopt,
                          json.at("name").get<std::string>()};
    const bool several = geometry.width == 0 && geometry.height == 0 && json.at("points").is_null();
    if (!several && (geometry.width <= 0 || geometry.height <= 0)) {
      throw std::out_of_range("width and height must be positive");
    }
    if (const auto& points = json.at("points"); !points.is_null()) {
      if (points.size() != 5) throw std::out_of_range(fmt::format("{} points", points.size()));
      geometry.points.emplace();
      for (int i = 0; i < 5; ++i)
        (*geometry.points)[i] = {points[i].at(0).get<double>(), points[i].at(1).get<double>()};
    }
    return geometry;
  } catch (const std::exception& e) {  // what the parser or the checks above say
    fail_data({.what = "geometry is malformed",
               .where = where,
               .expected = R"({"name","width","height","points":[[x,y] x5] or null})",
               .got = e.what()});
  }
}

Landmarks parse_points(const std::string& text, const std::string& where) {
  const auto fail = [&] [[noreturn]] {
    fail_usage({.what = "points are malformed",
                .where = where,
                .expected = "five points \"x,y x,y x,y x,y x,y\"",
                .got = "\"" + text + "\""});
  };
  Landmarks points;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto skip_spaces = [&] { at = std::find_if(at, end, [](char c) { return c != ' '; }); };
  const auto number = [&] {
    double value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || !std::isfinite(value)) fail();
    at = stop;
    return value;
  };
  for (Point& p : points) {
    skip_spaces();
    p.x = number();
    if (at == end || *at++ != ',') fail();
    p.y = number();
    if (at != end && *at != ' ') fail();
  }
  skip_spaces();
  if (at != end) fail();
  return points;
}

Similarity Similarity::inverse() const {
  const double norm = a * a + b * b;
  const double ia = a / norm, ib = -b / norm;
  return {ia, ib, -(ia * tx - ib * ty), -(ib * tx + ia * ty)};
}

// With both sets centred and read as complex numbers p, q, the least squares factor is sum(conj(p) q) / sum(|p|^2):
// Umeyama's solution where it is a rotation, and the best rotation where the unrestricted optimum would be a
// reflection.
std::optional<Similarity> estimate_similarity(const Landmarks& from, const Landmarks& to) {
  if (!is_finite(from) || !is_finite(to)) return std::nullopt;
  const Point mp = mean_of(from), mq = mean_of(to);
  double dot = 0, cross = 0, spread_from = 0, spread_to = 0;
  for (int i = 0; i < 5; ++i) {
    const Point p{from[i].x - mp.x, from[i].y - mp.y}, q{to[i].x - mq.x, to[i].y - mq.y};
    dot += p.x * q.x + p.y * q.y;
    cross += p.x * q.y - p.y * q.x;
    spread_from += p.x * p.x + p.y * p.y;
    spread_to += q.x * q.x + q.y * q.y;
  }
  // Equal points leave rounding errors of the mean behind, not zeros.
  const auto is_point = [](double spread, Point mean) {
    return !(spread > 1e-18 * (mean.x * mean.x + mean.y * mean.y));
  };
  if (is_point(spread_from, mp) || is_point(spread_to, mq)) return std::nullopt;
  const double a = dot / spread_from, b = cross / spread_from;
  if (!std::isfinite(a) || !std::isfinite(b) || (a == 0 && b == 0)) return std::nullopt;
  return Similarity{a, b, mq.x - a * mp.x + b * mp.y, mq.y - b * mp.x - a * mp.y};
}

}  // namespace likeness
