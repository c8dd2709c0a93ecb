#include <cmath>

#include "data/synth_draw.h"
#include "data/synth_face.h"

namespace likeness::data::synth {
namespace {

constexpr int kSteps = 4;

// The line through points of the face's surface.
template <std::size_t N>
Path line_on_face(const Scene& s, const std::array<Vec2, N>& points, float lift = 0) {
  std::array<Vec2, N> knots;
  for (std::size_t k = 0; k < N; ++k) knots[k] = s.view.surface(points[k].x, points[k].y, lift);
  return smooth(knots, false, kSteps);
}

// A stroke on the face; widths in eye distances.
template <std::size_t N>
void draw_line(const Scene& s, const std::array<Vec2, N>& points, float start, float middle, float end,
               const Paint& paint, float lift = 0) {
  const float unit = s.view.scale();
  s.canvas.fill(stroke(line_on_face(s, points, lift).points(), start * unit, middle * unit, end * unit), paint);
}

void disc(const Scene& s, Vec2 at, float radius, const Paint& paint, float lift = 0) {
  const float r = radius * s.view.scale();
  s.canvas.fill(ellipse(s.view.surface(at.x, at.y, lift), {r, 0}, {0, r}), paint);
}

void paint_skin_marks(const Scene& s) {
  const Person& p = s.person;
  const Color dark = scale(p.skin_color, 0.6f);
  if (p.wrinkles > 0) {
    const Paint crease{dark, 0.55f * p.wrinkles};
    for (float y : {-0.62f, -0.76f})
      draw_line<3>(s, {{{-0.5f, y}, {0, y - 0.04f}, {0.5f, y}}}, 0.005f, 0.035f, 0.005f, crease);
    for (float side : {-1.f, 1.f}) {
      draw_line<3>(
          s, {{{side * p.nose_width * 1.1f, p.nose_y}, {side * 0.4f, 0.86f}, {side * p.mouth_width * 1.2f, p.mouth_y}}},
          0.01f, 0.04f, 0.005f, crease);
      draw_line<3>(
          s, {{{side * (p.eye_gap - 0.2f), 0.15f}, {side * p.eye_gap, 0.22f}, {side * (p.eye_gap + 0.22f), 0.14f}}},
          0.005f, 0.035f, 0.005f, crease);
    }
  }
  for (const auto& m : p.moles) disc(s, {m.x, m.y}, m.radius, {{0.22f, 0.13f, 0.1f}, 0.85f});
  if (p.freckles > 0)
    for (int k = 0; k < 22; ++k) {
      const float x = 0.8f * std::sin(p.hair_phase + 2.4f * float(k)),
                  y = 0.45f + 0.2f * std::cos(p.hair_phase + 3.9f * float(k));
      disc(s, {x, y}, 0.02f, {{0.55f, 0.32f, 0.2f}, 0.6f * p.freckles});
    }
}

void paint_nose(const Scene& s) {
  const Person& p = s.person;
  const View& v = s.view;
  const float unit = v.scale(), tip = p.nose_lift;
  const float away = s.shot.light_x > 0 ? -1.f : 1.f;  // the side in the shade
  const Vec2 flank[5] = {v.surface(away * 0.3f * p.nose_bridge, -0.1f, 0.08f),
                         v.surface(away * 1.2f * p.nose_bridge, 0.05f, 0.02f),
                         v.surface(away * p.nose_width, p.nose_y + 0.02f, 0.05f),
                         v.surface(away * 0.4f * p.nose_width, p.nose_y + 0.1f, 0.2f),
                         v.surface(away * 0.35f * p.nose_tip, p.nose_y - 0.06f, tip)};
  s.canvas.fill(flank, {scale(p.skin_color, 0.68f), 0.35f + 0.5f * s.shot.light_strength});
  draw_line<3>(s, {{{0, -0.1f}, {0, 0.25f}, {0, p.nose_y - 0.05f}}}, 0.5f * p.nose_bridge, 0.7f * p.nose_bridge,
               p.nose_tip, {mix(p.skin_color, {1, 1, 1}, 0.35f), 0.35f}, 0.6f * tip);
  s.canvas.soft_ellipse(v.surface(0, p.nose_y, tip), 1.6f * p.nose_tip * unit, 1.3f * p.nose_tip * unit,
                        mix(p.skin_color, {1, 1, 1}, 0.5f), 0.55f);
  s.canvas.soft_ellipse(v.surface(0, p.nose_y + 0.17f, 0.05f), 1.2f * p.nose_width * unit, 0.12f * unit,
                        scale(p.skin_color, 0.55f), 0.5f);
  const Paint dark{scale(p.skin_color, 0.35f), 0.75f}, wing{scale(p.skin_color, 0.58f), 0.8f};
  for (float side : {-1.f, 1.f}) {
    const float x = side * p.nose_width, y = p.nose_y;
    draw_line<3>(s, {{{0.86f * x, y - 0.12f}, {1.05f * x, y + 0.02f}, {0.75f * x, y + 0.1f}}}, 0.015f, 0.04f, 0.02f,
                 wing, 0.08f);
    const Vec2 hole = v.surface(0.48f * x, y + 0.085f, 0.2f);
    s.canvas.fill(ellipse(hole, {0.3f * p.nose_width * unit, 0}, {0, 0.032f * unit}), dark);
  }
}

void paint_mouth(const Scene& s) {
  const Person& p = s.person;
  const Vec2 corner = mouth_corner(p, s.shot);
  const float gap = 0.2f * s.shot.mouth_open + (s.shot.smile > 0.55f ? 0.12f * (s.shot.smile - 0.55f) : 0.f),
              mw = corner.x, cy = corner.y;
  const float top = p.mouth_y - 0.35f * gap,
              bottom = p.mouth_y + 0.65f * gap;  // the inner edges of the lips in the middle
  const auto path = [&](std::initializer_list<Vec2> upper, std::initializer_list<Vec2> lower) {
    Path area;
    for (const auto& edge : {upper, lower}) {
      std::array<Vec2, 5> knots;
      std::size_t k = 0;
      for (Vec2 q : edge) knots[k++] = s.view.surface(q.x, q.y, 0.04f);
      const Path curve = smooth(knots, false, kSteps);
      for (Vec2 q : curve.points()) area.add(q);
    }
    return area;
  };
  const float inner = 0.55f * mw;
  const auto mid = [&](float y) { return 0.35f * cy + 0.65f * y; };
  if (gap > 0.01f) {
    s.canvas.fill(path({{-mw, cy}, {-inner, mid(top)}, {0, top}, {inner, mid(top)}, {mw, cy}},
                       {{mw, cy}, {inner, mid(bottom)}, {0, bottom}, {-inner, mid(bottom)}, {-mw, cy}}),
                  {{0.22f, 0.06f, 0.07f}});
    const float teeth = top + std::min(0.6f * gap, 0.09f);
    s.canvas.fill(
        path({{-0.8f * mw, mid(top)}, {-inner, mid(top)}, {0, top}, {inner, mid(top)}, {0.8f * mw, mid(top)}},
             {{0.8f * mw, mid(top)}, {inner, mid(teeth)}, {0, teeth}, {-inner, mid(teeth)}, {-0.8f * mw, mid(top)}}),
        {{0.93f, 0.91f, 0.86f}});
  }
  const float lip = top - p.upper_lip;
  s.canvas.fill(path({{-mw, cy},
                      {-0.5f * mw, mid(lip) - 0.2f * p.upper_lip},
                      {0, lip + p.cupid},
                      {0.5f * mw, mid(lip) - 0.2f * p.upper_lip},
                      {mw, cy}},
                     {{mw, cy}, {inner, mid(top)}, {0, top}, {-inner, mid(top)}, {-mw, cy}}),
                {scale(p.lip_color, 0.88f)});
  const float low = bottom + p.lower_lip;
  s.canvas.fill(path({{-mw, cy}, {-inner, mid(bottom)}, {0, bottom}, {inner, mid(bottom)}, {mw, cy}},
                     {{mw, cy}, {inner, mid(low)}, {0, low}, {-inner, mid(low)}, {-mw, cy}}),
                {p.lip_color});
  draw_line<5>(s, {{{-mw, cy}, {-inner, mid(top)}, {0, top}, {inner, mid(top)}, {mw, cy}}}, 0.02f, 0.03f, 0.02f,
               {scale(p.lip_color, 0.4f), 0.8f}, 0.04f);
  s.canvas.soft_ellipse(s.view.surface(0, low + 0.1f), 0.3f * s.view.scale(), 0.1f * s.view.scale(),
                        scale(p.skin_color, 0.6f), 0.35f);
}

void paint_eye(const Scene& s, float side) {
  const Person& p = s.person;
  const float w = p.eye_width, open = std::max(0.008f, p.eye_open * s.shot.eyes_open);
  // The lids as functions of x in -w … w from the pupil's place, outwards positive.
  const auto tilt = [&](float x) { return -p.eye_tilt * x; };
  const auto bow = [&](float x) {
    const float u = x / w;
    return std::max(0.f, 1 - u * u);
  };
  const auto upper = [&](float x) { return -open * std::sqrt(bow(x)) * (1 - 0.15f * x / w) + tilt(x); };
  const auto lower = [&](float x) { return 0.75f * open * bow(x) + tilt(x); };
  const auto at = [&](float x, float y) { return s.view.surface(side * (p.eye_gap + x), y); };
  constexpr int samples = 9;
  Path white, lash, crease;
  for (int k = 0; k < samples; ++k) {
    const float x = w * (2.f * float(k) / (samples - 1) - 1);
    white.add(at(x, upper(x)));
    lash.add(at(x, upper(x)));
    crease.add(at(x, upper(x) - 0.035f - 0.06f * p.lid));
  }
  for (int k = samples - 2; k > 0; --k) {
    const float x = w * (2.f * float(k) / (samples - 1) - 1);
    white.add(at(x, lower(x)));
  }
  s.canvas.fill(white, {{0.93f, 0.92f, 0.9f}});
  // Iris and pupil, cut off by the lids.
  const float gx = 0.09f * s.shot.gaze_x * side, gy = 0.05f * s.shot.gaze_y;
  const auto round = [&](float radius, const Paint& paint) {
    Path path;
    for (Vec2 q : ellipse({gx, gy - 0.08f * open}, {radius, 0}, {0, radius}).points()) {
      const float x = std::clamp(q.x, -w, w);
      path.add(at(x, std::clamp(q.y, upper(x), lower(x))));
    }
    s.canvas.fill(path, paint);
  };
  round(p.iris * 1.12f, {scale(p.iris_color, 0.4f)});
  round(p.iris, {p.iris_color});
  round(0.42f * p.iris, {{0.02f, 0.02f, 0.02f}});
  if (s.shot.eyes_open > 0.5f) disc(s, {side * p.eye_gap + gx * side - 0.03f, gy - 0.04f}, 0.018f, {{1, 1, 1}, 0.9f});
  const float unit = s.view.scale(), thick = p.gender == Gender::kFemale ? 0.05f : 0.03f;
  s.canvas.fill(stroke(lash.points(), 0.02f * unit, thick * unit, thick * unit), {{0.06f, 0.05f, 0.05f}, 0.9f});
  s.canvas.fill(stroke(crease.points(), 0.008f * unit, 0.03f * unit, 0.008f * unit),
                {scale(p.skin_color, 0.5f), 0.25f + 0.5f * p.lid});
}

void paint_brow(const Scene& s, float side) {
  const Person& p = s.person;
  const float y = p.brow_y - s.shot.brow_raise, l = p.brow_length;
  draw_line<3>(s,
               {{{side * (p.eye_gap - 0.85f * l), y + 0.03f + p.brow_tilt},
                 {side * (p.eye_gap + 0.15f * l), y - p.brow_arch},
                 {side * (p.eye_gap + 1.05f * l), y + 0.04f - p.brow_tilt}}},
               0.8f * p.brow_thick, p.brow_thick, 0.25f * p.brow_thick, {p.brow_color, 0.88f}, 0.03f);
}

void paint_glasses(const Scene& s) {
  const Person& p = s.person;
  const float unit = s.view.scale(), size = p.glasses_size;
  const Paint frame{p.glasses_color};
  for (float side : {-1.f, 1.f}) {
    std::array<Vec2, 8> knots;
    for (std::size_t k = 0; k < 8; ++k) {
      // Between a circle and a box: the corners are pulled out.
      const float angle = 0.785398f * float(k), pull = k % 2 ? 1 + 0.32f * (1 - p.glasses_round) : 1.f;
      knots[k] = s.view.surface(side * p.eye_gap * 1.04f + size * pull * std::cos(angle),
                                0.04f + 0.82f * size * pull * std::sin(angle), 0.15f);
    }
    const Path rim = smooth(knots, true, 3);
    s.canvas.fill(rim, {{0.85f, 0.92f, 1.f}, 0.12f});
    s.canvas.fill(ring(rim.points(), p.glasses_thick * unit), frame);
    const Vec2 temple[2] = {s.view.surface(side * (p.eye_gap * 1.04f + size), -0.02f, 0.15f),
                            s.view.outline(side * p.cheek * 1.02f, -0.05f)};
    s.canvas.fill(stroke(temple, p.glasses_thick * unit, p.glasses_thick * unit, p.glasses_thick * unit), frame);
  }
  const float inner = p.eye_gap * 1.04f - size;
  draw_line<3>(s, {{{-inner, 0}, {0, -0.05f}, {inner, 0}}}, p.glasses_thick, p.glasses_thick, p.glasses_thick, frame,
               0.15f);
}

void paint_occlusion(const Scene& s) {
  const Person& p = s.person;
  const View& v = s.view;
  const float unit = v.scale(), place = s.shot.occlusion_place, size = s.shot.occlusion_size;
  const Paint paint{s.shot.occlusion_color};
  switch (s.shot.occlusion) {
    case Occlusion::kNone:
      return;
    case Occlusion::kSunglasses:
      for (float side : {-1.f, 1.f})
        s.canvas.fill(ellipse(v.surface(side * 0.52f, 0.02f, 0.1f), {(0.36f + 0.08f * size) * unit, 0},
                              {0, (0.26f + 0.08f * size) * unit}),
                      {{0.06f, 0.06f, 0.07f}});
      return draw_line<3>(s, {{{-0.3f, -0.04f}, {0, -0.07f}, {0.3f, -0.04f}}}, 0.06f, 0.06f, 0.06f,
                          {{0.06f, 0.06f, 0.07f}}, 0.1f);
    case Occlusion::kMask: {
      const std::array<Vec2, 7> knots{v.outline(-p.cheek, 0.35f),       v.surface(0, 0.36f + 0.2f * size, 0.2f),
                                      v.outline(p.cheek, 0.35f),        v.outline(p.jaw, p.jaw_y + 0.05f),
                                      v.outline(0, p.chin_y + 0.12f),   v.outline(-p.jaw, p.jaw_y + 0.05f),
                                      v.outline(-p.cheek * 1.02f, 0.6f)};
      return s.canvas.fill(smooth(knots, true, kSteps), paint);
    }
    case Occlusion::kHand:
      for (int finger = 0; finger < 4; ++finger) {
        const float x = 1.1f * place + 0.24f * float(finger) - 0.36f;
        const Vec2 line[2] = {v.outline(x + 0.3f * place, 2.4f),
                              v.outline(x, 0.75f - 0.35f * size + 0.08f * float(std::abs(finger - 1)))};
        s.canvas.fill(stroke(line, 0.28f * unit, 0.25f * unit, 0.2f * unit),
                      {scale(p.skin_color, 0.85f + 0.06f * float(finger % 2))});
      }
      return;
    case Occlusion::kHat: {
      const float y = -0.75f + 0.3f * size;
      const std::array<Vec2, 4> crown{v.outline(-1.5f, y), v.outline(-1.4f, -2.4f), v.outline(1.4f, -2.4f),
                                      v.outline(1.5f, y)};
      s.canvas.fill(crown, paint);
      const Vec2 brim[3] = {v.outline(-1.7f, y + 0.05f), v.outline(0, y - 0.1f), v.outline(1.7f, y + 0.05f)};
      return s.canvas.fill(stroke(smooth(brim, false, kSteps).points(), 0.14f * unit, 0.2f * unit, 0.14f * unit),
                           {scale(paint.color, 0.7f)});
    }
    case Occlusion::kBar: {
      const float y = 0.5f + 0.9f * place;
      const Vec2 line[2] = {v.outline(-2.2f, y + 0.5f * (size - 0.5f)), v.outline(2.2f, y - 0.5f * (size - 0.5f))};
      return s.canvas.fill(stroke(line, 0.3f * unit, 0.3f * unit, 0.3f * unit), paint);
    }
  }
}

}  // namespace

void paint_features(const Scene& s) {
  paint_skin_marks(s);
  paint_nose(s);
  paint_mouth(s);
  for (float side : {-1.f, 1.f}) {
    paint_eye(s, side);
    paint_brow(s, side);
  }
}

void paint_in_front(const Scene& s) {
  if (s.person.glasses && s.shot.wears_glasses && s.shot.occlusion != Occlusion::kSunglasses) paint_glasses(s);
  paint_occlusion(s);
}

}  // namespace likeness::data::synth
