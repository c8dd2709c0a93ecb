#include "tests/bench/limits.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

namespace likeness::bench {
namespace {

// Seconds of the fastest of the calls that fit into a second; the first makes oneDNN choose its way and is not counted.
template <class Call>
double best(Call call) {
  constexpr double kBudget = 1;
  call();
  double fastest = kBudget * 1e6;
  for (double spent = 0; spent < kBudget;) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fastest = std::min(fastest, seconds);
    spent += seconds;
  }
  return fastest;
}

double convolution(at::ScalarType type) {
  constexpr std::int64_t kBatch = 32, kChannels = 256, kSide = 14, kKernel = 3;
  const auto layout = at::MemoryFormat::ChannelsLast;
  const at::Tensor x = at::randn({kBatch, kChannels, kSide, kSide}).to(type).contiguous(layout),
                   w = at::randn({kChannels, kChannels, kKernel, kKernel}).to(type).contiguous(layout);
  const double products = static_cast<double>(x.numel() * kChannels * kKernel * kKernel);
  return 2 * products / best([&] { at::conv2d(x, w, {}, 1, 1); });
}

double product(at::ScalarType type) {
  constexpr std::int64_t kSide = 2048;
  const at::Tensor a = at::randn({kSide, kSide}).to(type), b = at::randn({kSide, kSide}).to(type);
  return 2 * static_cast<double>(kSide * kSide * kSide) / best([&] { at::mm(a, b); });
}

}  // namespace

Limits measure_limits(bool bf16) {
  const at::NoGradGuard no_grad;
  const at::Tensor from = at::ones({64 << 20}, at::kFloat), to = at::empty_like(from);
  return {.convolution_f32 = convolution(at::kFloat),
          .convolution_bf16 = bf16 ? convolution(at::kBFloat16) : 0,
          .product_f32 = product(at::kFloat),
          .product_bf16 = bf16 ? product(at::kBFloat16) : 0,
          .memory = 2.0 * static_cast<double>(from.nbytes()) / best([&] { to.copy_(from); })};
}

}  // namespace likeness::bench
