#include <array>

#include "core/error.h"
#include "engine/engine.h"

namespace likeness::engine {

std::vector<float> to_input(const std::uint8_t* pixels, std::int64_t n, const ModelContract& contract, bool mirror) {
  const Preprocess& p = contract.preprocess;
  // A pixel has 256 values, so a table per channel gives each its correctly rounded result.
  std::array<std::array<float, 256>, 3> value;
  std::array<int, 3> from;  // which of the picture's R, G, B becomes channel c
  for (int c = 0; c < 3; ++c) {
    from[c] = p.order == "bgr" ? 2 - c : c;
    for (int v = 0; v < 256; ++v) value[c][v] = static_cast<float>((v - p.mean[c]) / p.std[c]);
  }
  const std::size_t height = static_cast<std::size_t>(contract.geometry.height),
                    width = static_cast<std::size_t>(contract.geometry.width);
  std::vector<float> input(static_cast<std::size_t>(n) * 3 * height * width);
  float* out = input.data();
  for (std::int64_t i = 0; i < n; ++i, pixels += 3 * height * width) {
    for (int c = 0; c < 3; ++c) {
      for (std::size_t y = 0; y < height; ++y) {
        const std::uint8_t* row = pixels + 3 * width * y + static_cast<std::size_t>(from[c]);
        if (mirror)
          for (std::size_t x = 0; x < width; ++x) *out++ = value[c][row[3 * (width - 1 - x)]];
        else
          for (std::size_t x = 0; x < width; ++x) *out++ = value[c][row[3 * x]];
      }
    }
  }
  return input;
}

}  // namespace likeness::engine
