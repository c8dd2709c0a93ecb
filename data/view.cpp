#include "data/view.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/config.h"
#include "core/error.h"

namespace likeness::data {
namespace {

std::int64_t label_of(const FaceSource& source, const std::string& identity) {
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < source.identities(); ++c) {
    names.push_back(source.identity_name(c));
    if (names.back() == identity) return c;
  }
  const std::string guess = nearest(identity, names);
  fail_usage({"no such identity", source.path().string(), "one of " + std::to_string(names.size()) + " names", identity,
              guess.empty() ? "" : "did you mean " + guess + "?"});
}

// Scaled to fit the middle of a cell.
Similarity fit(const Image& image, int cell) {
  const double scale = double(cell) / std::max(image.width, image.height);
  // Pixel centres are at whole numbers: the picture's middle goes to the cell's middle.
  return {scale, 0, (cell - 1) / 2.0 - scale * (image.width - 1) / 2.0,
          (cell - 1) / 2.0 - scale * (image.height - 1) / 2.0};
}

void mark(std::uint8_t* cell_pixels, int cell, Point p) {
  const int cx = static_cast<int>(std::lround(p.x)), cy = static_cast<int>(std::lround(p.y));
  for (int y = cy - 1; y <= cy + 1; ++y)
    for (int x = cx - 1; x <= cx + 1; ++x) {
      if (x < 0 || y < 0 || x >= cell || y >= cell) continue;
      std::uint8_t* out = cell_pixels + (std::ptrdiff_t{y} * cell + x) * 3;
      out[0] = 0, out[1] = 255, out[2] = 0;
    }
}

}  // namespace

std::vector<std::int64_t> choose_pictures(const FaceSource& source, const ViewOptions& options) {
  std::vector<std::int64_t> chosen;
  if (options.identity.empty()) {
    const std::int64_t n = std::min(options.count, source.size());
    for (std::int64_t k = 0; k < n; ++k) chosen.push_back(k * source.size() / n);
    return chosen;
  }
  const std::int64_t label = label_of(source, options.identity);
  for (std::int64_t i = 0; i < source.size() && static_cast<std::int64_t>(chosen.size()) < options.count; ++i)
    if (source.label(i) == label) chosen.push_back(i);
  return chosen;
}

Image contact_sheet(const FaceSource& source, const std::vector<std::int64_t>& pictures, const ViewOptions& options) {
  const int n = static_cast<int>(pictures.size()), columns = std::min(options.columns, std::max(n, 1));
  const int rows = (n + columns - 1) / columns;
  if (std::int64_t{1} * columns * rows * options.cell * options.cell > 1 << 28)
    fail_usage({"sheet is too large", "--count, --cell", "fewer than 268 million pixels", "", ""});
  Image sheet{columns * options.cell, rows * options.cell, {}};
  sheet.pixels.resize(static_cast<std::size_t>(sheet.width) * sheet.height * 3);
  std::vector<std::uint8_t> cell(static_cast<std::size_t>(options.cell) * options.cell * 3);
  std::vector<std::byte> scratch;
  for (int k = 0; k < n; ++k) {
    const std::int64_t i = pictures[static_cast<std::size_t>(k)];
    const Image image = decode(source.encoded(i, scratch), source.path().string() + ", " + source.key(i));
    const Similarity to_cell = fit(image, options.cell);
    warp(image, to_cell, options.cell, options.cell, cell.data());
    auto points = source.landmarks(i);
    if (!points) points = source.geometry().points;
    if (options.points && points)
      for (const Point& p : *points) mark(cell.data(), options.cell, to_cell.apply(p));
    for (int y = 0; y < options.cell; ++y) {
      const std::size_t at =
          (static_cast<std::size_t>(k / columns * options.cell + y) * sheet.width + k % columns * options.cell) * 3;
      std::memcpy(sheet.pixels.data() + at, cell.data() + std::size_t{3} * y * options.cell,
                  std::size_t{3} * options.cell);
    }
  }
  return sheet;
}

}  // namespace likeness::data
