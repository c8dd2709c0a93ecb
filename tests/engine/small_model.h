// A network small enough to run in milliseconds, and a set of pictures in memory.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "data/crop.h"
#include "data/face_source.h"
#include "model/run_model.h"
#include "tests/support/errors.h"

namespace likeness::test {

inline model::TrainedModel small_model(std::uint64_t seed = 1, const std::string& backbone = "mbf") {
  model::BackboneOptions options;
  options.name = backbone;
  options.input = 32;
  options.embedding = 24;
  model::TrainedModel m;
  m.graph = model::build_backbone(options);
  m.weights = model::initial_weights(m.graph, seed);
  // As if trained: fresh statistics and biases of 0 and 1 would hide a lost one, and map zeros to zeros.
  for (auto& [name, tensor] : m.weights.tensors) {
    const bool mean = name.ends_with("running_mean") || name.ends_with("bias"),
               variance = name.ends_with("running_var");
    if (!mean && !variance) continue;
    Rng rng(seed, Purpose::kTest, fnv1a(name));
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    for (float& v : values) v = static_cast<float>(mean ? rng.uniform(-0.3, 0.3) : rng.uniform(0.5, 2));
    tensor = model::WeightTensor::f32(tensor.shape, values.data());
  }
  m.contract.geometry = FaceGeometry::arcface(32);
  m.contract.dimension = 24;
  m.contract.weights_hash = model::weights_hash(m.graph, m.weights);
  return m;
}

inline std::filesystem::path save_small_model(const std::filesystem::path& file, std::uint64_t seed = 1,
                                              const std::string& backbone = "mbf") {
  model::save_model(file, small_model(seed, backbone), IfExists::kReplace);
  return file;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Pictures held in memory: by default random ones, encoded as JPEG of quality 100, two to a person.
class MemorySource : public data::FaceSource {
 public:
  explicit MemorySource(std::int64_t n, FaceGeometry geometry = FaceGeometry::arcface(32))
      : geometry_(std::move(geometry)) {
    for (std::int64_t i = 0; i < n; ++i) {
      Rng rng(3, Purpose::kTest, 0, static_cast<std::uint64_t>(i));
      const int base = static_cast<int>(rng.below(200));
      std::vector<std::uint8_t> pixels(3ull * static_cast<std::size_t>(geometry_.width) *
                                       static_cast<std::size_t>(geometry_.height));
      for (std::size_t p = 0; p < pixels.size(); ++p)
        pixels[p] = static_cast<std::uint8_t>(base + static_cast<int>(p / 3 % 32));
      encoded_.push_back(data::encode_jpeg(pixels.data(), geometry_.width, geometry_.height, 100));
    }
    AttributeColumn gender{"gender", {"female", "male"}, {}};
    for (std::int64_t i = 0; i < n; ++i) gender.codes.push_back(i % 3 == 0 ? 0 : std::uint64_t{1} << (i % 2));
    attributes_.columns.push_back(gender);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(encoded_.size()); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>&) const override {
    return encoded_.at(static_cast<std::size_t>(i));
  }
  std::int64_t label(std::int64_t i) const override { return i / 2; }
  std::int64_t identities() const override { return (size() + 1) / 2; }
  std::string identity_name(std::int64_t label) const override { return "person " + std::to_string(label); }
  std::string key(std::int64_t i) const override { return "picture " + std::to_string(i); }
  FaceGeometry geometry() const override { return geometry_; }
  std::optional<Landmarks> landmarks(std::int64_t) const override { return landmarks_; }
  AttributeTable attributes() const override { return attributes_; }
  std::string digest() const override { return "0123456789abcdef0123456789abcdef"; }
  std::filesystem::path path() const override { return "memory"; }

  void damage(std::int64_t i) { encoded_.at(static_cast<std::size_t>(i)).resize(5); }
  void set_landmarks(const Landmarks& points) { landmarks_ = points; }

 private:
  FaceGeometry geometry_;
  std::vector<std::vector<std::byte>> encoded_;
  std::optional<Landmarks> landmarks_;
  AttributeTable attributes_;
};

}  // namespace likeness::test
