// A set in memory whose pictures are arithmetic: what a loader must deliver can be computed instead of stored.
#pragma once

#include <array>
#include <opencv2/imgcodecs.hpp>
#include <set>
#include <stdexcept>

#include "data/face_source.h"

namespace likeness::test {

// Picture i, as PNG: pixel (x, y) = (i mod 256, i / 256, 4x + y): the first two channels tell which picture it is, the
// third whether it was flipped. Label i mod 5, or -1 where i mod 11 == 10. `broken` pictures are not pictures; reading
// a `fatal` one is an error that is not the data's.
class NumberedFaces : public data::FaceSource {
 public:
  static constexpr int kWidth = 16, kHeight = 8;

  explicit NumberedFaces(std::int64_t n, std::set<std::int64_t> broken = {}, std::set<std::int64_t> fatal = {})
      : fatal_(std::move(fatal)) {
    for (std::int64_t i = 0; i < n; ++i) {
      cv::Mat bgr(kHeight, kWidth, CV_8UC3);
      for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x) {
          const auto rgb = pixel(i, x, y);
          bgr.at<cv::Vec3b>(y, x) = {rgb[2], rgb[1], rgb[0]};
        }
      std::vector<std::uint8_t> bytes;
      cv::imencode(".png", bgr, bytes);
      if (broken.count(i)) bytes.assign(40, 0x55);
      pictures_.push_back(std::move(bytes));
    }
  }

  static std::array<std::uint8_t, 3> pixel(std::int64_t i, int x, int y) {
    return {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(4 * x + y)};
  }
  static std::int64_t label_of(std::int64_t i) { return i % 11 == 10 ? -1 : i % 5; }

  std::int64_t size() const override { return static_cast<std::int64_t>(pictures_.size()); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>&) const override {
    if (fatal_.count(i)) throw std::runtime_error("the disk is on fire");
    return std::as_bytes(std::span(pictures_.at(static_cast<std::size_t>(i))));
  }
  std::int64_t label(std::int64_t i) const override { return label_of(i); }
  std::int64_t identities() const override { return 5; }
  std::string identity_name(std::int64_t label) const override { return "person " + std::to_string(label); }
  std::string key(std::int64_t i) const override { return "picture " + std::to_string(i); }
  FaceGeometry geometry() const override { return FaceGeometry::unknown(kWidth, kHeight); }
  std::optional<Landmarks> landmarks(std::int64_t) const override { return std::nullopt; }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return "numbered"; }
  std::filesystem::path path() const override { return "numbered faces"; }

 private:
  std::vector<std::vector<std::uint8_t>> pictures_;
  std::set<std::int64_t> fatal_;
};

}  // namespace likeness::test
