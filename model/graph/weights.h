// Named tensors outside any framework, and safetensors in and out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "model/graph/graph.h"

namespace likeness::model {

struct WeightTensor {
  std::string dtype = "F32";  // safetensors' names: F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8 U64 U32 U16 U8 BOOL
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;  // row-major, little-endian
  std::int64_t elements() const;
  std::vector<double> as_double() const;  // any of the types above, exactly except for 64-bit integers beyond 2^53
  static WeightTensor f32(std::vector<std::int64_t> shape, const float* values);
  static WeightTensor f64(std::vector<std::int64_t> shape, const double* values);
  static WeightTensor i64(std::vector<std::int64_t> shape, const std::int64_t* values);
};

struct Weights {
  std::map<std::string, WeightTensor> tensors;
  std::map<std::string, std::string> metadata;  // safetensors' __metadata__
  // kData naming the tensor when it is absent.
  const WeightTensor& at(const std::string& name) const;
};

// Format: u64 header length, JSON header, data (docs/formats/weights.md). As strict as the format's own library.
// Errors: kData naming the file, the tensor and what is wrong (header too long, truncated, repeated names, overlapping
// offsets, bytes that no tensor claims, a size that does not match the shape).
Weights read_safetensors(const std::filesystem::path& path);
Weights parse_safetensors(std::span<const std::byte> bytes, const std::string& where);
// Equal weights give equal bytes. kUsage when the file exists and may not be replaced.
void write_safetensors(const std::filesystem::path& path, const Weights& weights, IfExists if_exists);

// kData naming the first missing, wrongly shaped or wrongly typed (in state dict order), else the first extra tensor,
// if `weights` does not fit `graph` exactly.
void check_weights(const Graph& graph, const Weights& weights, const std::string& where);
// xxh3-128 over names, shapes and values (floats as f32) in state dict order: the same whatever file they lie in.
// Tensors that only training reads (num_batches_tracked, a ViT's mask_token) do not count: they change no embedding,
// and ONNX has no place for them. `weights` must fit `graph`.
std::string weights_hash(const Graph& graph, const Weights& weights);

// Every tensor from a stream of its own, keyed by its name (FNV-1a + splitmix64), in ranges that keep deep nets
// bounded: tests/goldens/README.md has the rule. For tests and benchmarks.
Weights deterministic_fill(const Graph& graph);
// arcface_torch's initialisation. iresnet: conv N(0, 0.1), Linear as PyTorch's default U(-1/sqrt(I), 1/sqrt(I)).
// vit: Linear, pos_embed and mask_token N(0, 0.02), Linear bias 0, the patch convolution as PyTorch's default. mbf and
// all others: conv and Linear N(0, sqrt(2 / (O kh kw))) (He, fan out), Linear bias 0. Everywhere: BatchNorm and
// LayerNorm 1/0, PReLU 0.25. A tensor's values depend on `seed` and its name only.
Weights initial_weights(const Graph& graph, std::uint64_t seed);

}  // namespace likeness::model
