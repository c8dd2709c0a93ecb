// From an encoded picture to the pixels a network is fed: decode, and warp only where the geometry asks for it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "data/face_source.h"

namespace likeness::data {

// Decodes JPEG or PNG to RGB u8. Grey becomes RGB. Errors: kData naming `where`.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // [H,W,3] u8
};
Image decode(std::span<const std::byte> encoded, const std::string& where);
// Chroma at full resolution from quality 90 on, halved below. kEnvironment when the encoder fails.
std::vector<std::byte> encode_jpeg(const std::uint8_t* rgb, int width, int height, int quality);
std::vector<std::byte> encode_png(const Image& image);

// Bilinear warp with border 0, out(x) = in(M^-1 x): the result has target's size. Deterministic on any machine.
void warp(const Image& from, const Similarity& source_to_target, int width, int height, std::uint8_t* out);

// Reads face i of a source in one fixed geometry, straight into the caller's slot. One per thread (it keeps a decoder
// and scratch memory); the source may be shared.
class CropReader {
 public:
  // Pictures already in `target` are decoded in place; pictures with landmarks (or a source whose geometry has points)
  // are warped to it, one read and one resampling. kData naming both geometries when neither is possible.
  CropReader(const FaceSource& source, const FaceGeometry& target);
  ~CropReader();
  // out: [target.height, target.width, 3] u8. Errors: kData naming file and record. Returns nothing else.
  void read(std::int64_t i, std::uint8_t* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// In place; out[y][x] = in[y][W-1-x].
void flip_horizontal(std::uint8_t* rgb, int width, int height);

}  // namespace likeness::data
