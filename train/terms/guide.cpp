#include "train/terms/guide.h"

#include <cstring>

#include "core/error.h"
#include "data/crop.h"

namespace likeness::train {

Reframe::Reframe(const FaceGeometry& from, const FaceGeometry& to, const std::string& where) : from_(from), to_(to) {
  if (from.same_as(to)) return;
  if (from.points && to.points) warp_ = estimate_similarity(*from.points, *to.points);
  if (!warp_)
    fail_usage({.what = "the run's pictures cannot be brought to this model's geometry",
                .where = where,
                .expected = to.describe(),
                .got = from.describe(),
                .hint = "both must know where the five points of a face stand, or be of one size and unknown"});
}

const std::uint8_t* Reframe::operator()(const std::uint8_t* pixels, std::int64_t n) {
  if (!warp_) return pixels;
  const std::size_t in =
      std::size_t{3} * static_cast<std::size_t>(from_.width) * static_cast<std::size_t>(from_.height);
  const std::size_t out = std::size_t{3} * static_cast<std::size_t>(to_.width) * static_cast<std::size_t>(to_.height);
  out_.resize(static_cast<std::size_t>(n) * out);
  data::Image picture{from_.width, from_.height, std::vector<std::uint8_t>(in)};
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    std::memcpy(picture.pixels.data(), pixels + i * in, in);
    data::warp(picture, *warp_, to_.width, to_.height, out_.data() + i * out);
  }
  return out_.data();
}

Guide::Guide(const GuideOptions& options, const FaceGeometry& pictures, const std::string& key, int threads, bool cuda)
    : engine_(engine::open_engine(options.model, options.engine_options(threads, cuda))),
      reframe_(pictures, engine_->contract().geometry, key + ": " + options.model) {}

std::vector<float> Guide::embed(const std::uint8_t* pixels, std::int64_t n) {
  return engine_->run(engine::to_input(reframe_(pixels, n), n, engine_->contract(), false), n);
}

}  // namespace likeness::train
