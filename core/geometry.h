// Where a face stands in its picture, and how to bring it there.
#pragma once

#include <array>
#include <optional>
#include <string>

namespace likeness {

struct Point { double x = 0, y = 0; };  // pixels; pixel centres are at whole numbers, as in OpenCV

// Left eye, right eye, nose, left and right corner of the mouth, as seen in the image.
using Landmarks = std::array<Point, 5>;

// The geometry of aligned pictures: a size and where the five points lie in it. Unknown points are a value of their own:
// training on them must be asked for.
struct FaceGeometry {
  int width = 0, height = 0;         // pixels; 0x0 with unknown points: a set of pictures of several sizes
  std::optional<Landmarks> points;   // absent: unknown
  std::string name;                  // "arcface", "custom" or "unknown"

  // The field's template (112 x 112), scaled to `size`.
  static FaceGeometry arcface(int size = 112);
  static FaceGeometry custom(int width, int height, const Landmarks& points);
  static FaceGeometry unknown(int width, int height);

  // Equal sizes and points within 0.01 pixel.
  bool same_as(const FaceGeometry& other) const;
  // "arcface 112x112", "custom 64x64 (20.1,33.2 …)".
  std::string describe() const;

  // One JSON object {"name","width","height","points":[[x,y]…]|null}, the form in every file of ours.
  std::string to_json() const;
  static FaceGeometry from_json(const std::string& json, const std::string& where);
};

// "20.1,33.2 43.3,33.2 …" -> five points; kUsage naming `where` when malformed.
Landmarks parse_points(const std::string& text, const std::string& where);

// A 2x3 matrix that maps source pixels to target pixels.
struct Similarity {
  double a = 1, b = 0, tx = 0, ty = 0;  // [a -b tx; b a ty]
  Point apply(Point p) const { return {a * p.x - b * p.y + tx, b * p.x + a * p.y + ty}; }
  Similarity inverse() const;
};

// Least squares similarity without reflection (Umeyama 1991, closed form): what skimage's SimilarityTransform and
// insightface's estimate_norm give, computed in double. nullopt for degenerate points (all equal, not finite).
std::optional<Similarity> estimate_similarity(const Landmarks& from, const Landmarks& to);

}  // namespace likeness
