#include "data/synth_view.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace likeness::data::synth {
namespace {

constexpr float kMiddleY = 0.2f, kHalfHeight = 1.9f,
                kDepth = 0.95f;  // the ellipsoid that gives points of the face their depth

}  // namespace

Vec2 mouth_corner(const Person& p, const Shot& s) {
  return {p.mouth_width * (1 + 0.13f * s.smile), p.mouth_y - p.mouth_curve - 0.07f * s.smile};
}

View::View(const Person& person, const Shot& shot)
    : cos_yaw_(std::cos(shot.yaw)),
      sin_yaw_(std::sin(shot.yaw)),
      cos_pitch_(std::cos(shot.pitch)),
      sin_pitch_(std::sin(shot.pitch)),
      width_(person.cheek * 1.08f),
      face_points_(face_points(person, shot)) {}

Vec2 View::turned(float x, float y, float lift) const {
  const float u = x / width_, v = (y - kMiddleY) / kHalfHeight;
  const float z = kDepth * std::sqrt(std::max(0.f, 1 - u * u - v * v)) + lift;
  return {x * cos_yaw_ + z * sin_yaw_, kMiddleY + (y - kMiddleY) * cos_pitch_ + z * sin_pitch_};
}

Landmarks View::face_points(const Person& p, const Shot& s) const {
  const Vec2 mouth = mouth_corner(p, s);
  const Vec2 points[5] = {turned(-p.eye_gap, 0, 0), turned(p.eye_gap, 0, 0), turned(0, p.nose_y, p.nose_lift),
                          turned(-mouth.x, mouth.y, 0), turned(mouth.x, mouth.y, 0)};
  Landmarks result;
  for (std::size_t k = 0; k < 5; ++k) result[k] = {points[k].x, points[k].y};
  return result;
}

void View::place(const Similarity& similarity) {
  to_pixels_ = similarity;
  to_face_ = similarity.inverse();
  scale_ = static_cast<float>(std::hypot(similarity.a, similarity.b));
  for (std::size_t k = 0; k < 5; ++k) landmarks_[k] = similarity.apply(face_points_[k]);
}

View View::aligned(const Person& person, const Shot& shot, const FaceGeometry& geometry) {
  LIKENESS_ASSERT(geometry.points.has_value());
  View view(person, shot);
  Landmarks found = view.face_points_;
  for (std::size_t k = 0; k < 5; ++k) {
    found[k].x += shot.jitter[k].x;
    found[k].y += shot.jitter[k].y;
  }
  const auto similarity = estimate_similarity(found, *geometry.points);
  LIKENESS_ASSERT(similarity.has_value());
  view.place(*similarity);
  return view;
}

View View::free(const Person& person, const Shot& shot, int side, double eye_distance, Rng rng) {
  View view(person, shot);
  const double angle = rng.uniform(-25, 25) * std::numbers::pi / 180, scale = eye_distance * rng.uniform(0.85, 1.15);
  Similarity m{scale * std::cos(angle), scale * std::sin(angle), 0, 0};
  const Point middle = m.apply({view.face_points_[2].x, view.face_points_[2].y - 0.2});
  m.tx = 0.5 * (side - 1) + rng.uniform(-0.06, 0.06) * side - middle.x;
  m.ty = 0.5 * (side - 1) + rng.uniform(-0.06, 0.06) * side - middle.y;
  view.place(m);
  return view;
}

Vec2 View::pixel(Vec2 p) const {
  const Point q = to_pixels_.apply({p.x, p.y});
  return {static_cast<float>(q.x), static_cast<float>(q.y)};
}

Vec2 View::surface(float x, float y, float lift) const { return pixel(turned(x, y, lift)); }
Vec2 View::outline(float x, float y) const { return pixel({x, y}); }

Vec2 View::head_plane(Vec2 p) const {
  const Point q = to_face_.apply({p.x, p.y});
  return {static_cast<float>(q.x), static_cast<float>(q.y)};
}

}  // namespace likeness::data::synth
