#include <algorithm>
#include <cmath>

#include "data/synth_face.h"

namespace likeness::data::synth {
namespace {

// The head's own light: a surface like the head's ellipsoid, lit from one direction; `lit` says where.
void light(const Shot& shot, const View& view, Canvas& canvas) {
  const float* lit = canvas.plane(3);
  for (int y = 0; y < canvas.height(); ++y) {
    const Vec2 left = view.head_plane({0, float(y)}), step = view.head_plane({1, float(y)}) - left;
    const std::size_t row = std::size_t(y) * std::size_t(canvas.width());
    for (int x = 0; x < canvas.width(); ++x) {
      const Vec2 p = left + float(x) * step;
      const float nx = p.x * (1 / 1.25f), ny = (p.y - 0.2f) * (1 / 1.8f);
      const float facing = nx * shot.light_x + ny * shot.light_y;
      const float edge = 0.12f * std::min(1.5f, nx * nx + ny * ny);
      const float gain = std::max(0.15f, 1 + shot.light_strength * facing - edge);
      const float factor = 1 + lit[row + std::size_t(x)] * (gain - 1);
      for (int c = 0; c < 3; ++c) canvas.plane(c)[row + std::size_t(x)] *= factor;
    }
  }
}

void expose(const Shot& shot, Canvas& canvas) {
  const std::size_t n = std::size_t(canvas.width()) * std::size_t(canvas.height());
  const float tint[3] = {shot.tint.r, shot.tint.g, shot.tint.b};
  for (int c = 0; c < 3; ++c) {
    float* p = canvas.plane(c);
    const float gain = shot.exposure * shot.contrast * tint[c], offset = 0.5f * (1 - shot.contrast);
    for (std::size_t k = 0; k < n; ++k) p[k] = p[k] * gain + offset;
  }
  if (!shot.grey) return;
  float *r = canvas.plane(0), *g = canvas.plane(1), *b = canvas.plane(2);
  for (std::size_t k = 0; k < n; ++k) r[k] = g[k] = b[k] = 0.299f * r[k] + 0.587f * g[k] + 0.114f * b[k];
}

// Sum of the four bytes of one draw: close to normal (Irwin-Hall) at a fortieth of Box and Muller's price. Mean 510,
// and the variance of four uniform bytes.
constexpr float kByteSumMean = 510, kByteSumDeviation = 147.8f;

float rough_normal(Rng& rng) {
  const std::uint32_t u = rng.next_u32();
  const auto sum = float((u & 255) + ((u >> 8) & 255) + ((u >> 16) & 255) + (u >> 24));
  return (sum - kByteSumMean) * (1 / kByteSumDeviation);
}

}  // namespace

void render(const Person& person, const Shot& shot, const View& view, Canvas& canvas, Rng noise, std::uint8_t* out) {
  const Scene scene{canvas, person, shot, view};
  paint_background(scene);
  paint_behind(scene);
  paint_head(scene);
  paint_features(scene);
  paint_hair(scene);
  paint_in_front(scene);
  light(shot, view, canvas);
  expose(shot, canvas);
  canvas.blur(shot.blur * view.scale() / 35.24f);
  const std::size_t n = std::size_t(canvas.width()) * std::size_t(canvas.height());
  for (std::size_t k = 0; k < n; ++k)
    for (int c = 0; c < 3; ++c) {
      float value = 255 * canvas.plane(c)[k] + 0.5f;
      if (shot.noise > 0) value += shot.noise * rough_normal(noise);
      out[3 * k + std::size_t(c)] = static_cast<std::uint8_t>(std::clamp(value, 0.f, 255.f));
    }
}

}  // namespace likeness::data::synth
