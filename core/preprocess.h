// The contract between a picture and a network's input, carried by every model file of ours.
#pragma once

#include <array>
#include <string>

#include "core/geometry.h"

namespace likeness {

// input[c] = (pixel[c] - mean[c]) / std[c] on 0..255 values, channels in `order`.
struct Preprocess {
  std::array<double, 3> mean{127.5, 127.5, 127.5};
  std::array<double, 3> std{127.5, 127.5, 127.5};
  std::string order = "rgb";  // "rgb" or "bgr": which channel the network wants first

  // "mean=123.675,116.28,103.53;std=58.395,57.12,57.375;order=rgb"; kUsage when malformed.
  static Preprocess parse(const std::string& text);
  std::string to_string() const;
  bool operator==(const Preprocess&) const = default;
};

// Everything that must agree before two embeddings may be compared (docs/formats/embeddings.md).
struct ModelContract {
  std::string weights_hash;   // xxh3-128 over names, shapes and bytes of all weights, whatever file they lie in
  Preprocess preprocess;
  FaceGeometry geometry;
  std::string flip = "none";  // "none" or "sum": whether the mirrored picture's embedding is added
  std::string precision = "f32";
  int dimension = 0;          // D

  std::string to_json() const;
  static ModelContract from_json(const std::string& json, const std::string& where);
  // Empty if embeddings of both may be compared, else what differs, in words.
  std::string difference(const ModelContract& other) const;
};

}  // namespace likeness
