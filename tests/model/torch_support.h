// What the tests of the Torch module share.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
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

inline at::Tensor channels_last(const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); }
inline at::Tensor leaf(const at::Tensor& t) { return t.detach().clone().set_requires_grad(true); }

// The gradient of sum(f(inputs) * r) in f64 against central differences, a few entries of each input.
inline void expect_gradients(const std::vector<at::Tensor>& inputs,
                             const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
                             const std::string& what) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& t : inputs) leaves.push_back(leaf(t));
  const at::Tensor out = f(leaves);
  const at::Tensor r = drawn("gradient check", out.sizes());
  (out * r).sum().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(leaves[i].grad().defined()) << what << ", input " << i;
    const at::Tensor gradient = leaves[i].grad().contiguous();
    const std::int64_t n = inputs[i].numel(), stride = std::max<std::int64_t>(1, n / 7);
    for (std::int64_t k = 0; k < n; k += stride) {
      const auto moved = [&](double by) {
        std::vector<at::Tensor> changed = inputs;
        changed[i] = inputs[i].contiguous().clone();
        changed[i].view(-1)[k] += by;
        return (f(changed) * r).sum().item<double>();
      };
      const double numeric = (moved(kStep) - moved(-kStep)) / (2 * kStep);
      EXPECT_NEAR(gradient.view(-1)[k].item<double>(), numeric, 1e-6 * std::max(1.0, std::abs(numeric)))
          << what << ", input " << i << ", entry " << k;
    }
  }
}

}  // namespace likeness::test
