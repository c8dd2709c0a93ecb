// Named tensors outside any framework, and safetensors in and out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "model/graph/graph.h"

namespace likeness::model {

struct WeightTensor {
  std::string dtype = "F32";          // safetensors' names: F64 F32 F16 BF16 I64 I32 U8 BOOL …
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;        // row-major, little-endian
  std::int64_t elements() const;
  std::vector<double> as_double() const;   // any float or integer type
  static WeightTensor f32(std::vector<std::int64_t> shape, const float* values);
  static WeightTensor f64(std::vector<std::int64_t> shape, const double* values);
  static WeightTensor i64(std::vector<std::int64_t> shape, const std::int64_t* values);
};

struct Weights {
  std::map<std::string, WeightTensor> tensors;
  std::map<std::string, std::string> metadata;   // safetensors' __metadata__
};

// Format: u64 header length, JSON header, data. Errors: kData naming the file and what is wrong (header too long, truncated,
// overlapping offsets, size that does not match the shape).
Weights read_safetensors(const std::filesystem::path& path);
void write_safetensors(const std::filesystem::path& path, const Weights& weights, IfExists if_exists);

// kData naming the first missing, extra or wrongly shaped tensor, if `weights` does not fit `graph` exactly.
void check_weights(const Graph& graph, const Weights& weights, const std::string& where);
// xxh3-128 over names, shapes and values (floats as f32) in state dict order: the same whatever file they lie in.
std::string weights_hash(const Graph& graph, const Weights& weights);

// Values by the rule of goldens/README section 0 (FNV-1a + splitmix64): deterministic fill for tests and benchmarks.
Weights deterministic_fill(const Graph& graph);
// arcface_torch's initialisation: iresnet conv N(0, 0.1), bn 1/0; mbf kaiming fan_out; PReLU 0.25; Linear as torch's default.
Weights initial_weights(const Graph& graph, std::uint64_t seed);

}  // namespace likeness::model
