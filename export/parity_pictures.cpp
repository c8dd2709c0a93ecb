#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "engine/engine.h"
#include "export/parity.h"

namespace likeness::exporting {
namespace {

// A head on a background with eyes, a mouth and a light from one side: smooth regions, edges and the colour statistics
// of a face, which noise lacks and which drive a trained network's activations to their working range.
std::vector<std::uint8_t> face_like(int width, int height, std::uint64_t which) {
  Rng rng(7, Purpose::kSample, 0, which);
  const double tone = rng.uniform(0.25, 1), light = rng.uniform(-0.4, 0.4), back = rng.uniform(20, 200),
               tilt = rng.uniform(-0.1, 0.1);
  const double skin[3] = {90 + 140 * tone, 60 + 120 * tone, 45 + 105 * tone};
  std::vector<std::uint8_t> pixels;
  pixels.reserve(3ull * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double v = (y + 0.5) / height, u = (x + 0.5) / width + tilt * (v - 0.5);
      const auto inside = [&](double cu, double cv, double ru, double rv) {
        return std::hypot((u - cu) / ru, (v - cv) / rv) < 1;
      };
      const double shade = 1 + light * (u - 0.5) * 2;
      const bool dark = inside(0.34, 0.46, 0.07, 0.04) || inside(0.66, 0.46, 0.07, 0.04);
      const bool mouth = inside(0.5, 0.82, 0.15, 0.04);
      const bool head = inside(0.5, 0.55, 0.42, 0.52);
      for (int c = 0; c < 3; ++c) {
        double value = head ? skin[c] * shade : back * (0.8 + 0.1 * c);
        if (head && mouth) value = c == 0 ? 150 * shade : 60 * shade;
        if (head && dark) value = 30;
        pixels.push_back(static_cast<std::uint8_t>(std::clamp(value + 6 * rng.normal(), 0.0, 255.0)));
      }
    }
  }
  return pixels;
}

std::vector<std::uint8_t> noise(std::size_t bytes, std::uint64_t which) {
  Rng rng(7, Purpose::kSample, 1, which);
  std::vector<std::uint8_t> pixels(bytes);
  for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(rng.below(256));
  return pixels;
}

}  // namespace

std::vector<ParityPicture> parity_pictures(const ModelContract& contract) {
  const int width = contract.geometry.width, height = contract.geometry.height;
  const std::size_t bytes = 3ull * static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  std::vector<ParityPicture> pictures;
  for (std::uint64_t i = 0; i < 3; ++i)
    pictures.push_back(
        {"noise " + std::to_string(i + 1), engine::to_input(noise(bytes, i).data(), 1, contract, false)});
  pictures.push_back({"zeros", std::vector<float>(bytes, 0.0f)});
  for (std::uint64_t i = 0; i < 3; ++i)
    pictures.push_back(
        {"face " + std::to_string(i + 1), engine::to_input(face_like(width, height, i).data(), 1, contract, false)});
  return pictures;
}

}  // namespace likeness::exporting
