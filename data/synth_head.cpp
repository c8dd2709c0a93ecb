#include <cmath>

#include "data/synth_draw.h"
#include "data/synth_face.h"

namespace likeness::data::synth {
namespace {

constexpr int kSteps = 4;  // corners per piece of a curve: a piece is rarely longer than ten pixels

bool falls(const Person& p) { return p.hair == Hair::kLong || p.hair == Hair::kBob; }

// How far down hair at the sides reaches.
float side_end(const Person& p) {
  switch (p.hair) {
    case Hair::kLong:
      return 2.3f;
    case Hair::kBob:
      return 0.7f + 0.6f * p.side_length;
    case Hair::kCurly:
      return 0.1f + 0.5f * p.side_length;
    default:
      return -0.25f + 0.4f * p.side_length;
  }
}

// The outer edge of the hair from the left side over the top to the right side.
Path outer_hair(const Scene& s, float extra) {
  const Person& p = s.person;
  const float v = p.hair_volume + extra, end = side_end(p), side = p.cheek + 0.5f * v;
  const Vec2 shape[9] = {{-side, end},
                         {-side - 0.15f * v, 0.4f * end - 0.3f},
                         {-p.temple - 0.8f * v, -0.8f},
                         {-0.66f * p.temple - 0.7f * v, -1.5f - 0.6f * v},
                         {0, -1.72f - v},
                         {0.66f * p.temple + 0.7f * v, -1.5f - 0.6f * v},
                         {p.temple + 0.8f * v, -0.8f},
                         {side + 0.15f * v, 0.4f * end - 0.3f},
                         {side, end}};
  std::array<Vec2, 9> knots;
  for (std::size_t k = 0; k < 9; ++k) knots[k] = s.view.outline(shape[k].x, shape[k].y);
  Path smoothed = smooth(knots, false, 2 * kSteps);
  if (p.hair != Hair::kCurly) return smoothed;
  Path bumps;
  const Vec2 middle = s.view.outline(0, -0.4f);
  float t = p.hair_phase;
  for (Vec2 q : smoothed.points()) {
    bumps.add(middle + (1 + 0.045f * std::sin(t)) * (q - middle));
    t += 1.1f;
  }
  return bumps;
}

Path skin_outline(const Scene& s) {
  const Person& p = s.person;
  const float drop = 0.12f * s.shot.mouth_open;
  const Vec2 right[6] = {
      {0.62f * p.temple, -1.6f},        {p.temple, -0.7f},   {p.cheek, p.cheek_y}, {p.jaw, p.jaw_y + 0.5f * drop},
      {p.chin, p.chin_y - 0.1f + drop}, {0, p.chin_y + drop}};
  std::array<Vec2, 12> knots;
  knots[0] = s.view.outline(0, -1.72f);
  for (std::size_t k = 0; k < 6; ++k) knots[k + 1] = s.view.outline(right[k].x, right[k].y);
  for (std::size_t k = 0; k < 5; ++k) knots[k + 7] = s.view.outline(-right[4 - k].x, right[4 - k].y);
  return smooth(knots, true, kSteps);
}

void paint_beard(const Scene& s) {
  const Person& p = s.person;
  if (p.beard == Beard::kNone) return;
  const Paint hair{p.brow_color, p.beard == Beard::kStubble ? 0.3f : 0.88f};
  const float drop = 0.12f * s.shot.mouth_open;
  if (p.beard == Beard::kStubble || p.beard == Beard::kFull) {
    const float more = p.beard == Beard::kFull ? 0.06f : 0.f;
    const Vec2 edge[4] = {{p.cheek * 0.99f, 0.3f},
                          {p.jaw + more, p.jaw_y},
                          {p.chin + more, p.chin_y - 0.1f + drop + more},
                          {0, p.chin_y + drop + more}};
    const Vec2 inner[4] = {{p.cheek * 0.86f, 0.45f}, {0.62f, 0.78f}, {0.42f, p.mouth_y - 0.26f}, {0, p.nose_y + 0.24f}};
    std::array<Vec2, 14> knots;
    for (std::size_t k = 0; k < 4; ++k) knots[k] = s.view.outline(edge[k].x, edge[k].y);
    for (std::size_t k = 0; k < 3; ++k) knots[4 + k] = s.view.outline(-edge[2 - k].x, edge[2 - k].y);
    for (std::size_t k = 0; k < 4; ++k) knots[7 + k] = s.view.surface(-inner[k].x, inner[k].y);
    for (std::size_t k = 0; k < 3; ++k) knots[11 + k] = s.view.surface(inner[2 - k].x, inner[2 - k].y);
    s.canvas.fill(smooth(knots, true, kSteps), hair);
  }
  if (p.beard == Beard::kGoatee || p.beard == Beard::kMoustache) {
    const float y = p.mouth_y - p.upper_lip - 0.1f;
    const Vec2 line[3] = {s.view.surface(-p.mouth_width, y + 0.12f), s.view.surface(0, y, 0.05f),
                          s.view.surface(p.mouth_width, y + 0.12f)};
    s.canvas.fill(stroke(smooth(line, false, kSteps).points(), 0.05f * s.view.scale(), 0.15f * s.view.scale(),
                         0.05f * s.view.scale()),
                  hair);
  }
  if (p.beard == Beard::kGoatee) {
    const float y = 0.5f * (p.mouth_y + p.chin_y) + drop + 0.06f, half = 0.62f * (p.chin_y - p.mouth_y);
    const Vec2 middle = s.view.surface(0, y);
    s.canvas.fill(ellipse(middle, s.view.surface(0.34f, y) - middle, s.view.surface(0, y + half) - middle), hair);
  }
}

}  // namespace

void paint_background(const Scene& s) {
  Canvas& c = s.canvas;
  const Color a = s.shot.background_a, b = s.shot.background_b;
  for (int y = 0; y < c.height(); ++y) {
    const Color row = mix(a, b, float(y) / float(c.height()));
    const float value[4] = {row.r, row.g, row.b, 0};
    for (int k = 0; k < 4; ++k) std::fill_n(c.plane(k) + std::size_t(y) * std::size_t(c.width()), c.width(), value[k]);
  }
  Draw d{Rng(s.shot.background_seed, Purpose::kSynthetic)};
  const auto w = float(c.width()), h = float(c.height());
  for (int left = d.pick({1, 1, 1, 1, 1}); left > 0; --left) {
    const Paint paint{d.near(d.chance(0.5) ? a : b, 0.35), d.between(0.3, 1), 0};
    const Vec2 at{d.between(0, w), d.between(0, h)}, along{d.around(0, 0.35 * w), d.around(0, 0.35 * h)};
    if (d.chance(0.5)) {
      c.fill(ellipse(at, along, {-0.5f * along.y, 0.5f * along.x}), paint);
    } else {
      const Vec2 across{-0.4f * along.y, 0.4f * along.x};
      const Vec2 box[4] = {at - along - across, at + along - across, at + along + across, at - along + across};
      c.fill(box, paint);
    }
  }
}

void paint_behind(const Scene& s) {
  const Person& p = s.person;
  const View& v = s.view;
  if (falls(p) || p.hair == Hair::kCurly) s.canvas.fill(outer_hair(s, 0.08f), {scale(p.hair_color, 0.7f)});
  const Color skin_in_shade = scale(p.skin_color, 0.72f);
  const float neck = 0.78f * p.jaw;
  const Vec2 neck_box[4] = {v.outline(-neck, 0.9f), v.outline(neck, 0.9f), v.outline(neck * 1.1f, 2.6f),
                            v.outline(-neck * 1.1f, 2.6f)};
  s.canvas.fill(neck_box, {skin_in_shade});
  const Vec2 shoulders[6] = {v.outline(-4, 3.f),
                             v.outline(-2.4f, p.chin_y + 0.55f),
                             v.outline(-neck, p.chin_y + 0.1f),
                             v.outline(0, p.chin_y + 0.5f),
                             v.outline(neck, p.chin_y + 0.1f),
                             v.outline(2.4f, p.chin_y + 0.55f)};
  std::array<Vec2, 7> clothes{shoulders[0], shoulders[1], shoulders[2],     shoulders[3],
                              shoulders[4], shoulders[5], v.outline(4, 3.f)};
  s.canvas.fill(clothes, {s.shot.clothes});
  for (float side : {-1.f, 1.f}) {
    // Ears sit behind the middle of the head: they move against the face when it turns.
    const float x = side * (p.cheek + p.ear_out - 0.04f) - 0.25f * std::sin(s.shot.yaw), y = 0.1f + p.ear_size * 0.3f;
    const Vec2 middle = v.outline(x, y);
    const Vec2 right = v.outline(x + 0.13f + p.ear_out, y) - middle, down = v.outline(x, y + p.ear_size) - middle;
    s.canvas.fill(ellipse(middle, right, down), {scale(p.skin_color, 0.9f)});
    s.canvas.fill(ellipse(middle, 0.55f * right, 0.6f * down), {skin_in_shade, 0.7f});
  }
}

void paint_head(const Scene& s) {
  const Person& p = s.person;
  const View& v = s.view;
  const float unit = v.scale();
  s.canvas.fill(skin_outline(s), {p.skin_color});
  const Color shade = scale(p.skin_color, 0.62f), flush = mix(p.skin_color, {0.85f, 0.3f, 0.28f}, 0.6f);
  for (float side : {-1.f, 1.f}) {
    s.canvas.soft_ellipse(v.surface(side * p.eye_gap, -0.03f), 0.42f * unit, 0.3f * unit, shade, p.eye_depth);
    s.canvas.soft_ellipse(v.surface(side * 0.66f, 0.58f), 0.4f * unit, 0.36f * unit, flush, p.blush);
    s.canvas.soft_ellipse(v.surface(side * 0.72f, 1.05f), 0.3f * unit, 0.5f * unit, shade, 0.35f * (1.1f - p.jaw));
  }
  s.canvas.soft_ellipse(v.surface(0, -0.65f), 0.7f * unit, 0.35f * unit, {1, 1, 1}, 0.08f);
  paint_beard(s);
}

void paint_hair(const Scene& s) {
  const Person& p = s.person;
  if (p.hair == Hair::kBald) return;
  const View& v = s.view;
  const float end = side_end(p), inside = falls(p) ? p.cheek * (0.98f - 0.16f * p.side_length) : p.cheek * 0.99f;
  const float line = p.hairline;
  // The hairline from right to left, on the forehead; a swept style hangs down at the side away from the parting.
  std::array<Vec2, 5> front{{{0.9f * p.temple, line + 0.34f},
                             {0.5f * p.temple, line + 0.05f},
                             {0.4f * p.parting, line + p.hair_peak},
                             {-0.5f * p.temple, line + 0.05f},
                             {-0.9f * p.temple, line + 0.34f}}};
  if (p.hair == Hair::kSwept) {
    const float low = p.parting > 0 ? -1.f : 1.f;
    for (Vec2& k : front) k.y += 0.28f * std::max(0.f, low * k.x);
  }
  Path cap = outer_hair(s, 0);
  std::array<Vec2, 7> inner;
  inner[0] = v.outline(inside, std::max(end - 0.15f, -0.3f));
  for (std::size_t k = 0; k < 5; ++k) inner[k + 1] = v.surface(front[k].x, front[k].y);
  inner[6] = v.outline(-inside, std::max(end - 0.15f, -0.3f));
  const Path hairline = smooth(inner, false, kSteps);
  for (Vec2 q : hairline.points()) cap.add(q);
  s.canvas.fill(cap, {p.hair_color, p.hair == Hair::kBuzz ? 0.6f : 1.f});
  // Strands: a few lighter and darker lines from the parting.
  const float unit = v.scale();
  for (int k = -3; k <= 3; ++k) {
    const float x = 0.33f * float(k), sway = 0.1f * std::sin(p.hair_phase + 1.7f * float(k));
    const Vec2 strand[3] = {v.surface(0.3f * p.parting + 0.3f * x, -1.5f), v.surface(x + sway, line - 0.32f),
                            v.surface(1.25f * x, line - 0.04f)};
    const Color tone = k % 2 ? mix(p.hair_color, {1, 0.95f, 0.85f}, 0.25f) : scale(p.hair_color, 0.6f);
    s.canvas.fill(stroke(smooth(strand, false, kSteps).points(), 0.03f * unit, 0.05f * unit, 0.01f * unit),
                  {tone, 0.5f});
  }
}

}  // namespace likeness::data::synth
