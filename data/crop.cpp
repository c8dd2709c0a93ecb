#include "data/crop.h"

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "data/jpeg.h"

namespace likeness::data {
namespace {

// Source positions are kept as integers of 1/2^32 pixel and weights of 1/2^11, so that the result is the same on every
// machine, compiler and vector width. Against bilinear interpolation in double the error stays below half a grey level
// before rounding.
constexpr int kFraction = 32;
constexpr int kWeight = 11;
constexpr double kFarthest = 1 << 29;  // pixels; beyond it an integer position could overflow

std::int64_t fixed(double pixels) { return std::llround(std::ldexp(pixels, kFraction)); }

// One output pixel from its four neighbours; those outside the picture count as black.
void blend_border(const Image& from, std::int64_t x, std::int64_t y, int wx, int wy, std::uint8_t* out) {
  const int weight[4] = {(1 << kWeight) - wx, wx, (1 << kWeight) - wy, wy};
  int sum[3] = {0, 0, 0};
  for (int k = 0; k < 4; ++k) {
    const std::int64_t px = x + (k & 1), py = y + (k >> 1);
    if (px < 0 || py < 0 || px >= from.width || py >= from.height) continue;
    const std::uint8_t* p = from.pixels.data() + (py * from.width + px) * 3;
    for (int c = 0; c < 3; ++c) sum[c] += weight[k & 1] * weight[2 + (k >> 1)] * p[c];
  }
  constexpr int half = 1 << (2 * kWeight - 1);
  for (int c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>((sum[c] + half) >> (2 * kWeight));
}

void blend_inside(const std::uint8_t* p, std::ptrdiff_t pitch, int wx, int wy, std::uint8_t* out) {
  constexpr int one = 1 << kWeight, half = 1 << (2 * kWeight - 1);
  for (int c = 0; c < 3; ++c) {
    const int top = (one - wx) * p[c] + wx * p[c + 3];
    const int bottom = (one - wx) * p[c + pitch] + wx * p[c + pitch + 3];
    out[c] = static_cast<std::uint8_t>(((one - wy) * top + wy * bottom + half) >> (2 * kWeight));
  }
}

std::string sizes(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

}  // namespace

void warp(const Image& from, const Similarity& source_to_target, int width, int height, std::uint8_t* out) {
  const Similarity back = source_to_target.inverse();
  for (const Point corner :
       {Point{0, 0}, Point{double(width), 0}, Point{0, double(height)}, Point{double(width), double(height)}}) {
    const Point p = back.apply(corner);
    if (!(std::abs(p.x) < kFarthest && std::abs(p.y) < kFarthest)) {  // also catches what is not a number
      std::memset(out, 0, static_cast<std::size_t>(width) * height * 3);
      return;
    }
  }
  const std::int64_t step_x = fixed(back.a), step_y = fixed(back.b);
  // Half a weight step is added once, so that cutting bits off below rounds to the nearest weight.
  constexpr std::int64_t round = std::int64_t{1} << (kFraction - kWeight - 1);
  const std::ptrdiff_t pitch = std::ptrdiff_t{3} * from.width;
  for (int y = 0; y < height; ++y) {
    const Point start = back.apply({0, double(y)});
    std::int64_t fx = fixed(start.x) + round, fy = fixed(start.y) + round;
    for (int x = 0; x < width; ++x, fx += step_x, fy += step_y, out += 3) {
      const std::int64_t px = fx >> kFraction, py = fy >> kFraction;
      const int wx = static_cast<int>(fx >> (kFraction - kWeight)) & ((1 << kWeight) - 1);
      const int wy = static_cast<int>(fy >> (kFraction - kWeight)) & ((1 << kWeight) - 1);
      if (px >= 0 && py >= 0 && px + 1 < from.width && py + 1 < from.height) {
        blend_inside(from.pixels.data() + py * pitch + px * 3, pitch, wx, wy, out);
      } else if (px >= -1 && py >= -1 && px < from.width && py < from.height) {
        blend_border(from, px, py, wx, wy, out);
      } else {
        out[0] = out[1] = out[2] = 0;
      }
    }
  }
}

void flip_horizontal(std::uint8_t* rgb, int width, int height) {
  for (int y = 0; y < height; ++y, rgb += std::ptrdiff_t{3} * width) {
    for (int left = 0, right = width - 1; left < right; ++left, --right) {
      std::uint8_t* a = rgb + std::ptrdiff_t{3} * left;
      std::uint8_t* b = rgb + std::ptrdiff_t{3} * right;
      for (int c = 0; c < 3; ++c) std::swap(a[c], b[c]);
    }
  }
}

struct CropReader::State {
  const FaceSource& source;
  FaceGeometry stored, target;
  bool in_place;                     // the pictures already are in the target's geometry
  std::optional<Similarity> shared;  // one warp for all: the set's own five points
  PictureDecoder decoder;
  std::vector<std::byte> scratch;
  Image image;  // the picture before its warp

  std::string where(std::int64_t i) const { return source.path().string() + ", " + source.key(i); }

  Similarity warp_of(std::int64_t i) const {
    const auto points = source.landmarks(i);
    if (!points && shared) return *shared;
    if (!points)
      fail_data({"picture has no landmarks to align it by", where(i), target.describe(), stored.describe(),
                 "import the set with --landmarks or --points"});
    const auto m = estimate_similarity(*points, *target.points);
    if (!m)
      fail_data({"landmarks do not span a face", where(i), "five different finite points", "points that coincide", ""});
    return *m;
  }
};

CropReader::CropReader(const FaceSource& source, const FaceGeometry& target)
    : state_(new State{source, source.geometry(), target, false, {}, {}, {}, {}}) {
  State& s = *state_;
  const bool has_landmarks = source.size() > 0 && source.landmarks(0).has_value();
  s.in_place = !has_landmarks && s.stored.same_as(target);
  if (s.in_place || source.size() == 0) return;
  if (target.points && s.stored.points) s.shared = estimate_similarity(*s.stored.points, *target.points);
  if (!target.points || (!has_landmarks && !s.shared))
    fail_data({"pictures cannot be brought to the geometry asked for", source.path().string(), target.describe(),
               s.stored.describe(),
               target.points ? "say where their faces stand: import with --points, --landmarks or --geometry"
                             : "the geometry asked for has no points; give it some, or pictures of its own size"});
}

CropReader::~CropReader() = default;

void CropReader::read(std::int64_t i, std::uint8_t* out) {
  State& s = *state_;
  const auto encoded = s.source.encoded(i, s.scratch);
  const std::string where = s.where(i);
  const PictureSize size = s.decoder.size(encoded, where);
  if (s.in_place) {
    if (size.width != s.target.width || size.height != s.target.height)
      fail_data({"picture has another size than its set", where, sizes(s.target.width, s.target.height),
                 sizes(size.width, size.height), "--on-bad skip counts and lists such records"});
    return s.decoder.decode(encoded, size, out, where);
  }
  s.image.width = size.width;
  s.image.height = size.height;
  s.image.pixels.resize(static_cast<std::size_t>(size.width) * size.height * 3);
  s.decoder.decode(encoded, size, s.image.pixels.data(), where);
  warp(s.image, s.warp_of(i), s.target.width, s.target.height, out);
}

}  // namespace likeness::data
