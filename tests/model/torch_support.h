// What the tests of the Torch module share.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::test {

// The doubles of a reference stream: FNV-1a of the name, then splitmix64, 53 bits (tests/goldens/README.md).
class Stream {
 public:
  explicit Stream(const std::string& name) {
    for (unsigned char c : name) state_ = (state_ ^ c) * 0x100000001b3ull;
  }
  double uniform(double low, double high) { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

// uniform [low, high] in f64, row-major.
inline at::Tensor drawn(const std::string& name, at::IntArrayRef shape, double low = -1, double high = 1) {
  at::Tensor t = at::empty(shape, at::kDouble);
  Stream stream(name);
  double* p = t.data_ptr<double>();
  for (std::int64_t i = 0; i < t.numel(); ++i) p[i] = stream.uniform(low, high);
  return t;
}

inline at::Tensor tensor_of(const Array& array) {
  const std::vector<double> values = array.as_double();
  return at::tensor(values, at::kDouble).reshape(array.shape);
}

// |a - b| / |b| (L2), or |a - b| where b is zero.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const double scale = b.to(at::kDouble).norm().item<double>();
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>();
  return scale > 0 ? error / scale : error;
}

// The reference's eight pictures, preprocessed as the reference did: in f64, rounded to f32, channels-last.
inline at::Tensor golden_images(at::ScalarType dtype) {
  const Npz images(golden("images.npz"));
  const at::Tensor pixels = tensor_of(images.at("input_u8"));  // [8,112,112,3]
  return ((pixels - 127.5) / 127.5).to(at::kFloat).to(dtype).permute({0, 3, 1, 2});
}

}  // namespace likeness::test
