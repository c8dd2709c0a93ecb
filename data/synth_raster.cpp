#include "data/synth_raster.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace likeness::data::synth {

void Path::add(Vec2 p) {
  LIKENESS_ASSERT(size_ < kMost);
  points_[size_++] = p;
}

Path smooth(std::span<const Vec2> knots, bool closed, int steps) {
  Path path;
  const auto n = static_cast<int>(knots.size());
  const auto knot = [&](int k) {
    return knots[static_cast<std::size_t>(closed ? (k + n) % n : std::clamp(k, 0, n - 1))];
  };
  for (int k = 0; k < (closed ? n : n - 1); ++k) {
    const Vec2 a = knot(k - 1), b = knot(k), c = knot(k + 1), d = knot(k + 2);
    for (int s = 0; s < steps; ++s) {
      const float t = float(s) / float(steps), t2 = t * t, t3 = t2 * t;
      path.add(0.5f * (2 * b + t * (c - a) + t2 * (2 * a - 5 * b + 4 * c - d) + t3 * (3 * b - a - 3 * c + d)));
    }
  }
  if (!closed) path.add(knots.back());
  return path;
}

Path ellipse(Vec2 centre, Vec2 right, Vec2 down) {
  constexpr int corners = 20;
  static const auto circle = [] {
    std::array<Vec2, corners> c;
    for (int k = 0; k < corners; ++k) {
      const double angle = 2 * std::numbers::pi * k / corners;
      c[static_cast<std::size_t>(k)] = {float(std::cos(angle)), float(std::sin(angle))};
    }
    return c;
  }();
  Path path;
  for (Vec2 p : circle) path.add(centre + p.x * right + p.y * down);
  return path;
}

namespace {

// The unit normal of a line at corner k, from its two neighbours.
Vec2 normal_at(std::span<const Vec2> line, std::size_t k, bool closed) {
  const std::size_t n = line.size();
  const Vec2 before = k > 0 ? line[k - 1] : closed ? line[n - 1] : line[k];
  const Vec2 after = k + 1 < n ? line[k + 1] : closed ? line[0] : line[k];
  const Vec2 along = after - before;
  const float length = std::sqrt(along.x * along.x + along.y * along.y);
  return length > 0 ? Vec2{-along.y / length, along.x / length} : Vec2{0, 0};
}

}  // namespace

Path stroke(std::span<const Vec2> line, float width_start, float width_middle, float width_end) {
  Path path;
  const std::size_t n = line.size();
  const auto half = [&](std::size_t k) {
    const float t = 2 * float(k) / float(n - 1);
    return 0.5f * (t < 1 ? width_start + t * (width_middle - width_start)
                         : width_middle + (t - 1) * (width_end - width_middle));
  };
  for (std::size_t k = 0; k < n; ++k) path.add(line[k] + half(k) * normal_at(line, k, false));
  for (std::size_t k = n; k-- > 0;) path.add(line[k] - half(k) * normal_at(line, k, false));
  return path;
}

// Once around outside and back inside: both contours run in opposite directions, so the hole has winding number zero.
Path ring(std::span<const Vec2> line, float width) {
  Path path;
  const std::size_t n = line.size();
  for (std::size_t k = 0; k <= n; ++k) path.add(line[k % n] + 0.5f * width * normal_at(line, k % n, true));
  for (std::size_t k = n + 1; k-- > 0;) path.add(line[k % n] - 0.5f * width * normal_at(line, k % n, true));
  return path;
}

Canvas::Canvas(int width, int height)
    : width_(width),
      height_(height),
      planes_(std::size_t{4} * width * height),
      cover_(std::size_t(width + 2) * height),
      scratch_(std::size_t(width) * height) {}

// Adds one edge to the differences of coverage: after a running sum along each row, cover is the signed part of the
// pixel's area that lies right of the edges (the method of font rasterisers; exact but for edges that cross the left or
// right border).
void Canvas::accumulate(Vec2 from, Vec2 to) {
  if (from.y == to.y) return;
  const float sign = from.y < to.y ? 1.f : -1.f;
  const Vec2 top = from.y < to.y ? from : to, bottom = from.y < to.y ? to : from;
  const float slope = (bottom.x - top.x) / (bottom.y - top.y);
  const int first = std::max(0, int(std::floor(top.y))), last = std::min(height_ - 1, int(std::ceil(bottom.y)) - 1);
  const float limit = float(width_);
  for (int y = first; y <= last; ++y) {
    const float y0 = std::max(top.y, float(y)), y1 = std::min(bottom.y, float(y + 1));
    const float part = sign * (y1 - y0);
    const float xa = std::clamp(top.x + (y0 - top.y) * slope, 0.f, limit),
                xb = std::clamp(top.x + (y1 - top.y) * slope, 0.f, limit);
    const float left = std::min(xa, xb), right = std::max(xa, xb);
    float* row = cover_.data() + std::size_t(y) * std::size_t(width_ + 2);
    const int column = int(left), end = int(std::ceil(right));
    if (end <= column + 1) {  // within one pixel column
      const float inside = part * (1 - (0.5f * (left + right) - float(column)));
      row[column] += inside;
      row[column + 1] += part - inside;
      continue;
    }
    // A trapezium over several columns: the area right of the edge grows quadratically, linearly, quadratically.
    const float per_column = part / (right - left), enter = float(column + 1) - left;
    float done = 0.5f * per_column * enter * enter;
    row[column] += done;
    for (int x = column + 1; x < end - 1; ++x) {
      const float area = per_column * (float(x) + 0.5f - left);
      row[x] += area - done;
      done = area;
    }
    const float leave = right - float(end - 1);
    const float area = part - 0.5f * per_column * leave * leave;
    row[end - 1] += area - done;
    row[end] += part - area;
  }
}

void Canvas::fill(std::span<const Vec2> outline, const Paint& paint) {
  if (outline.size() < 3) return;
  constexpr Vec2 half{0.5f, 0.5f};  // pixel i covers [i - 0.5, i + 0.5]
  float low_x = outline[0].x, high_x = low_x, low_y = outline[0].y, high_y = low_y;
  Vec2 before = outline.back() + half;
  for (Vec2 p : outline) {
    low_x = std::min(low_x, p.x);
    high_x = std::max(high_x, p.x);
    low_y = std::min(low_y, p.y);
    high_y = std::max(high_y, p.y);
    accumulate(before, p + half);
    before = p + half;
  }
  const int x0 = std::clamp(int(std::floor(low_x + 0.5f)), 0, width_),
            x1 = std::clamp(int(std::ceil(high_x + 0.5f)) + 1, 0, width_);
  const int y0 = std::clamp(int(std::floor(low_y + 0.5f)), 0, height_),
            y1 = std::clamp(int(std::ceil(high_y + 0.5f)), 0, height_);
  const float value[4] = {paint.color.r, paint.color.g, paint.color.b, paint.lit};
  for (int y = y0; y < y1; ++y) {
    float* cover = cover_.data() + std::size_t(y) * std::size_t(width_ + 2);
    float sum = 0;
    for (int x = x0; x < x1; ++x) cover[x] = paint.alpha * std::min(1.f, std::abs(sum += cover[x]));
    for (int c = 0; c < 4; ++c) {
      float* out = plane(c) + std::size_t(y) * std::size_t(width_);
      for (int x = x0; x < x1; ++x) out[x] += cover[x] * (value[c] - out[x]);
    }
    std::fill(cover + x0, cover + std::min(x1 + 2, width_ + 2), 0.f);
  }
}

void Canvas::soft_ellipse(Vec2 centre, float half_width, float half_height, Color color, float alpha) {
  const int x0 = std::max(0, int(centre.x - half_width)), x1 = std::min(width_, int(centre.x + half_width) + 2);
  const int y0 = std::max(0, int(centre.y - half_height)), y1 = std::min(height_, int(centre.y + half_height) + 2);
  const float value[3] = {color.r, color.g, color.b};
  for (int y = y0; y < y1; ++y) {
    const float v = (float(y) - centre.y) / half_height, v2 = v * v;
    float* weight = scratch_.data();
    for (int x = x0; x < x1; ++x) {
      const float u = (float(x) - centre.x) / half_width, w = std::max(0.f, 1 - u * u - v2);
      weight[x] = alpha * w * w;
    }
    for (int c = 0; c < 3; ++c) {
      float* out = plane(c) + std::size_t(y) * std::size_t(width_);
      for (int x = x0; x < x1; ++x) out[x] += weight[x] * (value[c] - out[x]);
    }
  }
}

void Canvas::blur(float sigma) {
  if (sigma < 0.05f) return;
  const int radius = std::max(1, int(std::ceil(3 * sigma)));
  std::vector<float> kernel(std::size_t(radius) + 1);
  float sum = 0;
  for (int k = 0; k <= radius; ++k)
    sum += (k ? 2 : 1) * (kernel[std::size_t(k)] = std::exp(-0.5f * float(k * k) / (sigma * sigma)));
  for (float& k : kernel) k /= sum;
  std::vector<float> line(std::size_t(width_) + 2 * std::size_t(radius));
  for (int c = 0; c < 3; ++c) {
    float* pixels = plane(c);
    for (int y = 0; y < height_; ++y) {
      const float* row = pixels + std::size_t(y) * std::size_t(width_);
      float* out = scratch_.data() + std::size_t(y) * std::size_t(width_);
      for (int x = -radius; x < width_ + radius; ++x) line[std::size_t(x + radius)] = row[std::clamp(x, 0, width_ - 1)];
      const float* centre = line.data() + radius;
      for (int x = 0; x < width_; ++x) out[x] = kernel[0] * centre[x];
      for (int k = 1; k <= radius; ++k)
        for (int x = 0; x < width_; ++x) out[x] += kernel[std::size_t(k)] * (centre[x - k] + centre[x + k]);
    }
    const auto row_of = [&](int y) {
      return scratch_.data() + std::size_t(std::clamp(y, 0, height_ - 1)) * std::size_t(width_);
    };
    for (int y = 0; y < height_; ++y) {
      float* out = pixels + std::size_t(y) * std::size_t(width_);
      const float* here = row_of(y);
      for (int x = 0; x < width_; ++x) out[x] = kernel[0] * here[x];
      for (int k = 1; k <= radius; ++k) {
        const float *above = row_of(y - k), *below = row_of(y + k);
        for (int x = 0; x < width_; ++x) out[x] += kernel[std::size_t(k)] * (above[x] + below[x]);
      }
    }
  }
}

}  // namespace likeness::data::synth
