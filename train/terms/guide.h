// A finished model that looks at the pictures of a training run: a teacher, or the network whose gallery must stay
// usable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "engine/engine.h"
#include "train/terms/options.h"

namespace likeness::train {

// Pictures of one geometry on their way to another, as both know their five points.
class Reframe {
 public:
  // kUsage naming `where` and both geometries when they differ and one of them does not know its points.
  Reframe(const FaceGeometry& from, const FaceGeometry& to, const std::string& where);
  // pixels [n,H,W,3] u8 -> the same in the other geometry; those given, untouched, where both are one.
  const std::uint8_t* operator()(const std::uint8_t* pixels, std::int64_t n);

 private:
  FaceGeometry from_, to_;
  std::optional<Similarity> warp_;
  std::vector<std::uint8_t> out_;
};

// Not thread-safe.
class Guide {
 public:
  // `pictures`: the geometry of the pixels it will be shown. `key`: the recipe's key, for messages. Errors as
  // engine::open_engine, and Reframe's.
  Guide(const GuideOptions& options, const FaceGeometry& pictures, const std::string& key, int threads, bool cuda);
  // pixels [n,H,W,3] u8 in the run's geometry, flips and all -> its raw embeddings [n,dimension()], from pixels warped
  // to its own geometry and normalised by its own contract.
  std::vector<float> embed(const std::uint8_t* pixels, std::int64_t n);
  int dimension() const { return engine_->contract().dimension; }
  const std::string& weights_hash() const { return engine_->contract().weights_hash; }
  engine::Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<engine::Engine> engine_;
  Reframe reframe_;
};

}  // namespace likeness::train
