// A small painter for the synthetic faces: closed outlines filled with exact area coverage, soft ellipses for shading,
// blur.
#pragma once

#include <array>
#include <span>
#include <vector>

namespace likeness::data::synth {

struct Vec2 {
  float x = 0, y = 0;
};  // pixels; pixel centres are at whole numbers

inline Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
inline Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
inline Vec2 operator*(float s, Vec2 a) { return {s * a.x, s * a.y}; }

struct Color {
  float r = 0, g = 0, b = 0;
};  // 0 … 1, display values

inline Color mix(Color a, Color b, float t) {
  return {a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)};
}
inline Color scale(Color a, float s) { return {a.r * s, a.g * s, a.b * s}; }

// How an outline is filled. `lit` goes to the canvas' fourth plane: 1 where the head's own light applies, 0 for
// background.
struct Paint {
  Color color;
  float alpha = 1, lit = 1;
};

// A polygon of at most kMost corners without any allocation: a face has some sixty of them.
class Path {
 public:
  static constexpr std::size_t kMost = 512;
  void add(Vec2 p);
  std::span<const Vec2> points() const { return {points_.data(), size_}; }

 private:
  std::array<Vec2, kMost> points_;
  std::size_t size_ = 0;
};

// Catmull-Rom curve through `knots`, `steps` corners per piece; a closed one comes back to its first knot.
Path smooth(std::span<const Vec2> knots, bool closed, int steps);
// An ellipse as a polygon. `right` and `down` are its half axes.
Path ellipse(Vec2 centre, Vec2 right, Vec2 down);
// The outline of a brush of width widths[k] (linear between, given at the ends of `line`) drawn along an open line.
Path stroke(std::span<const Vec2> line, float width_start, float width_middle, float width_end);
// The band of `width` along a closed line.
Path ring(std::span<const Vec2> closed_line, float width);

// Four planes [H,W] f32: red, green, blue, lit. Not shared between threads.
class Canvas {
 public:
  Canvas(int width, int height);
  int width() const { return width_; }
  int height() const { return height_; }
  float* plane(int c) { return planes_.data() + static_cast<std::size_t>(c) * width_ * height_; }

  void fill(std::span<const Vec2> outline, const Paint& paint);
  void fill(const Path& path, const Paint& paint) { fill(path.points(), paint); }
  // alpha · (1 - q²)² inside the ellipse q < 1: no edge to be seen. Leaves `lit` alone.
  void soft_ellipse(Vec2 centre, float half_width, float half_height, Color color, float alpha);
  // Gaussian, sigma in pixels, the border repeated; red, green and blue.
  void blur(float sigma);

 private:
  void accumulate(Vec2 from, Vec2 to);

  int width_, height_;
  std::vector<float> planes_;
  std::vector<float> cover_;    // [H, W+2] differences of coverage along a row; zero between calls
  std::vector<float> scratch_;  // [H,W] of blur()
};

}  // namespace likeness::data::synth
