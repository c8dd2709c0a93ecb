// The reference values' inputs, made independently of the product's own generator.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/preprocess.h"
#include "model/graph/backbones.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::model {

// tests/goldens/README.md: splitmix64 started at FNV-1a of the name.
class Stream {
 public:
  explicit Stream(const std::string& name) {
    state_ = 0xcbf29ce484222325ull;
    for (unsigned char c : name) state_ = (state_ ^ c) * 0x100000001b3ull;
  }
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  double uniform(double low, double high) {
    return low + (high - low) * std::ldexp(static_cast<double>(next() >> 11), -53);
  }
  // f32 values, widened
  std::vector<double> uniform(std::size_t n, double low, double high) {
    std::vector<double> v(n);
    for (double& x : v) x = static_cast<float>(uniform(low, high));
    return v;
  }

 private:
  std::uint64_t state_;
};

// Pictures [first, first + n) of images.npz as network input [n,3,112,112], rounded to f32 as the reference does.
inline std::vector<double> reference_input(int first, int n) {
  static const std::vector<double> pixels = test::Npz(test::golden("images.npz")).at("input_u8").as_double();
  constexpr int kSize = 112;
  std::vector<double> input(static_cast<std::size_t>(n) * 3 * kSize * kSize);
  for (int b = 0; b < n; ++b) {
    for (int p = 0; p < kSize * kSize; ++p) {
      for (int c = 0; c < 3; ++c) {
        const double pixel = pixels[(static_cast<std::size_t>(first + b) * kSize * kSize + p) * 3 + c];
        input[(static_cast<std::size_t>(b) * 3 + c) * kSize * kSize + p] = static_cast<float>((pixel - 127.5) / 127.5);
      }
    }
  }
  return input;
}

// |a - b| / |b| in the L2 norm.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

// "mbf.128" of the reference files -> options.
inline BackboneOptions reference_backbone(const std::string& name) {
  BackboneOptions options;
  options.name = name.substr(0, name.find('.'));
  if (name.find('.') != std::string::npos) options.embedding = std::stoi(name.substr(name.find('.') + 1));
  return options;
}

inline ModelContract arcface_contract(int size) {
  ModelContract contract;
  contract.geometry = FaceGeometry::arcface(size);
  return contract;
}

}  // namespace likeness::model
