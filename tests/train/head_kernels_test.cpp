// The head's vector loops, every instruction set that this CPU has, against plain loops.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "train/head/kernel/kernels.h"

namespace likeness::train::kernel {
namespace {

const char* name_of(Isa isa) { return isa == Isa::kBaseline ? "baseline" : isa == Isa::kAvx2 ? "avx2" : "avx512"; }

class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!supported(GetParam())) GTEST_SKIP() << "skipped: this CPU lacks " << name_of(GetParam());
  }
  template <class F>
  void for_both(F&& f) {
    const Kernels& k = kernels(GetParam());
    f(k.f32, float{}, 2e-6);
    f(k.f64, double{}, 1e-14);
  }
};

template <class T>
std::vector<T> wave(std::int64_t n, double f, double size = 1) {
  std::vector<T> v(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = T(size * std::sin(f * static_cast<double>(i) + .3));
  return v;
}

TEST_P(EveryIsa, Products) {
  for_both([&](const auto& k, auto zero, double tolerance) {
    using T = decltype(zero);
    for (std::int64_t n : {1, 5, 6, 7, 8, 13, 24})
      for (std::int64_t depth : {1, 3, 128, 300, 1100})
        for (bool add : {false, true}) {
          const std::int64_t stride = depth + 3, panels = 2, out_stride = panels * k.lanes + 1;
          const auto rows = wave<T>(n * stride, .7), packed = wave<T>(panels * depth * k.lanes, 1.1);
          auto out = wave<T>(n * out_stride, .2);
          const auto before = out;
          k.products(rows.data(), stride, n, depth, packed.data(), panels, out.data(), out_stride, add);
          for (std::int64_t r = 0; r < n; ++r)
            for (std::int64_t c = 0; c < out_stride; ++c) {
              const auto at = static_cast<std::size_t>(r * out_stride + c);
              if (c == out_stride - 1) {
                EXPECT_EQ(out[at], before[at]);  // nothing beyond the panels is touched
                continue;
              }
              double want = add ? before[at] : 0, size = 1;
              for (std::int64_t d = 0; d < depth; ++d) {
                const double product =
                    static_cast<double>(rows[static_cast<std::size_t>(r * stride + d)]) *
                    packed[static_cast<std::size_t>((c / k.lanes * depth + d) * k.lanes + c % k.lanes)];
                want += product, size += std::abs(product);
              }
              ASSERT_NEAR(out[at], want, tolerance * size) << n << " " << depth << " " << r << " " << c;
            }
        }
  });
}

TEST_P(EveryIsa, PackTurnScaleAndNorms) {
  for_both([&](const auto& k, auto zero, double tolerance) {
    using T = decltype(zero);
    const std::int64_t n = 7, width = 2 * k.lanes - 1, stride = width + 2;
    const auto rows = wave<T>(n * stride, .9);
    std::vector<T> panels(static_cast<std::size_t>(2 * n * k.lanes), T(99));
    k.pack(rows.data(), stride, n, width, panels.data());
    for (std::int64_t p = 0; p < 2; ++p)
      for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t l = 0; l < k.lanes; ++l) {
          const std::int64_t c = p * k.lanes + l;
          EXPECT_EQ(panels[static_cast<std::size_t>((p * n + r) * k.lanes + l)],
                    c < width ? rows[static_cast<std::size_t>(r * stride + c)] : T(0));
        }
    std::vector<T> inverse(static_cast<std::size_t>(n));
    k.inverse_norms(rows.data(), stride, n, width, inverse.data());
    for (std::int64_t r = 0; r < n; ++r) {
      double square = 0;
      for (std::int64_t c = 0; c < width; ++c) square += std::pow(rows[static_cast<std::size_t>(r * stride + c)], 2);
      EXPECT_NEAR(inverse[static_cast<std::size_t>(r)] * std::sqrt(square), 1, tolerance * 10);
    }
    const std::vector<T> zeros(static_cast<std::size_t>(width), T(0));
    k.inverse_norms(zeros.data(), width, 1, width, inverse.data());
    EXPECT_EQ(inverse[0], T(1) / T(1e-12));

    auto tile = wave<T>(n * 2 * k.lanes, .4);
    const auto factor = wave<T>(n, 1.7), before = tile;
    k.scale_rows(tile.data(), 2 * k.lanes, n, factor.data());
    std::vector<T> turned(static_cast<std::size_t>(2 * k.lanes * 9));
    k.turn(before.data(), 2 * k.lanes, n, 2 * k.lanes, factor.data(), turned.data(), 9);
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t b = 0; b < 2 * k.lanes; ++b) {
        const auto at = static_cast<std::size_t>(r * 2 * k.lanes + b);
        const T want = before[at] * factor[static_cast<std::size_t>(r)];
        EXPECT_EQ(tile[at], want);
        EXPECT_EQ(turned[static_cast<std::size_t>(b * 9 + r)], want);
      }
  });
}

// Softmax over tiles, with absent classes and every rule for the others.
TEST_P(EveryIsa, OnlineSoftmaxAndItsGradient) {
  for_both([&](const auto& k, auto zero, double tolerance) {
    using T = decltype(zero);
    const std::int64_t classes = 50, stride = 2 * k.lanes;
    for (OthersKind kind : {OthersKind::kPlain, OthersKind::kFilter, OthersKind::kCurriculum}) {
      const Others<T> others{.kind = kind, .scale = T(64), .limit = T(.9), .threshold = T(.4)};
      auto tile = wave<T>(classes * stride, .77);
      for (std::int64_t r = 0; r < classes; r += 7)
        tile[static_cast<std::size_t>(r * stride + r % stride)] = T(kAbsent);
      for (std::int64_t r = 0; r < classes; ++r)
        tile[static_cast<std::size_t>(r * stride + 3)] = T(kAbsent);  // nothing left
      const auto bar = wave<T>(stride, 2.1, .5), factor = wave<T>(stride, .3);
      std::vector<T> top(static_cast<std::size_t>(stride), -std::numeric_limits<T>::infinity());
      std::vector<double> sum(static_cast<std::size_t>(stride), 0.0);
      for (std::int64_t begin = 0; begin < classes; begin += 20)
        k.online(tile.data() + begin * stride, stride, std::min<std::int64_t>(20, classes - begin), others, bar.data(),
                 top.data(), sum.data());
      auto gradient = tile;
      auto finite_top = top;
      finite_top[3] = T(0);
      k.gradient(gradient.data(), stride, classes, others, bar.data(), finite_top.data(), factor.data());
      for (std::int64_t b = 0; b < stride; ++b) {
        const auto column = static_cast<std::size_t>(b);
        const auto value = [&](double c) {
          const double cut = std::min(std::max(c, -.9), .9);
          if (kind == OthersKind::kFilter) return cut > T(.4) ? 0. : 64 * cut;
          if (kind == OthersKind::kCurriculum) return 64 * (cut > bar[column] ? cut * (T(.4) + cut) : cut);
          return 64 * cut;
        };
        double highest = -INFINITY, total = 0;
        for (std::int64_t r = 0; r < classes; ++r) {
          const double c = tile[static_cast<std::size_t>(r * stride + b)];
          if (c > -2) highest = std::max(highest, value(c));
        }
        for (std::int64_t r = 0; r < classes; ++r) {
          const double c = tile[static_cast<std::size_t>(r * stride + b)];
          if (c > -2) total += std::exp(value(c) - highest);
        }
        if (b == 3) {
          EXPECT_EQ(sum[column], 0);
          EXPECT_TRUE(std::isinf(top[column]));
        } else {
          EXPECT_NEAR(top[column], highest, 100 * tolerance);
          EXPECT_NEAR(sum[column], total, 200 * tolerance * total);
        }
        for (std::int64_t r = 0; r < classes; ++r) {
          const auto at = static_cast<std::size_t>(r * stride + b);
          const double c = tile[at];
          double want = 0;
          if (c > -2 && std::abs(c) <= T(.9)) {
            double slope = 1;
            if (kind == OthersKind::kFilter && c > T(.4)) slope = 0;
            if (kind == OthersKind::kCurriculum && c > bar[column]) slope = T(.4) + 2 * c;
            want = factor[column] * std::exp(value(c) - finite_top[column]) * slope;
          }
          EXPECT_NEAR(gradient[at], want, 300 * tolerance * std::max(std::abs(want), 1e-3)) << r << " " << b;
        }
      }
    }
  });
}

// Sums of softplus and sigmoid over tiles, and the gradient, for logits from far below 0 to far above.
TEST_P(EveryIsa, BinarySumsAndTheirGradient) {
  for_both([&](const auto& k, auto zero, double tolerance) {
    using T = decltype(zero);
    const std::int64_t classes = 50, stride = 2 * k.lanes;
    for (OthersKind kind : {OthersKind::kPlain, OthersKind::kFilter, OthersKind::kPower})
      for (bool detached : {false, true}) {
        const Others<T> others{.kind = kind,
                               .scale = T(40),
                               .limit = T(.95),
                               .threshold = T(.6),
                               .power = 3,
                               .detached = detached,
                               .reduction = Reduction::kBinary,
                               .bias = T(-5)};
        auto tile = wave<T>(classes * stride, .77);
        for (std::int64_t r = 0; r < classes; r += 7)
          tile[static_cast<std::size_t>(r * stride + r % stride)] = T(kAbsent);
        const auto factor = wave<T>(stride, .3);
        std::vector<double> sum(static_cast<std::size_t>(stride), 1.0), slope(sum.size(), 2.0);
        for (std::int64_t begin = 0; begin < classes; begin += 20)
          k.binary(tile.data() + begin * stride, stride, std::min<std::int64_t>(20, classes - begin), others,
                   static_cast<const T*>(nullptr), sum.data(), slope.data());
        auto gradient = tile;
        k.binary_gradient(gradient.data(), stride, classes, others, static_cast<const T*>(nullptr),
                          static_cast<const T*>(nullptr), factor.data());
        for (std::int64_t b = 0; b < stride; ++b) {
          const auto column = static_cast<std::size_t>(b);
          double want_sum = 1, want_slope = 2;
          for (std::int64_t r = 0; r < classes; ++r) {
            const auto at = static_cast<std::size_t>(r * stride + b);
            const double c = tile[at], cut = std::min(std::max(c, -double(T(.95))), double(T(.95))), h = (1 + cut) / 2;
            double want = 0;
            if (c > -2) {
              const bool filtered = kind == OthersKind::kFilter && cut > T(.6);
              const double value = kind == OthersKind::kPower ? 2 * h * h * h - 1 : filtered ? 0 : cut;
              const double z = 40 * value - 5, share = 1 / (1 + std::exp(-z));
              want_sum += std::log1p(std::exp(z)), want_slope += share;
              double by_cosine = kind == OthersKind::kPower && !detached ? 3 * h * h : 1;
              if (filtered || cut != c) by_cosine = 0;
              want = factor[column] * share * by_cosine;
            }
            EXPECT_NEAR(gradient[at], want, 100 * tolerance * std::max(std::abs(want), 1e-3)) << r << " " << b;
          }
          EXPECT_NEAR(sum[column], want_sum, 10 * tolerance * want_sum) << b;
          EXPECT_NEAR(slope[column], want_slope, 20 * tolerance * want_slope) << b;
        }
      }
  });
}

TEST_P(EveryIsa, RowsStep) {
  for_both([&](const auto& k, auto zero, double tolerance) {
    using T = decltype(zero);
    const std::int64_t width = 37;
    const auto w0 = wave<T>(width, .5), v0 = wave<T>(width, .9, .1), g0 = wave<T>(width, 1.3, .2);
    std::vector<T> inverse(1);
    k.inverse_norms(w0.data(), width, 1, width, inverse.data());
    auto g = g0;
    k.back_through_norm(g.data(), w0.data(), inverse[0], width);
    double along = 0, square = 0;
    for (std::size_t i = 0; i < g.size(); ++i) along += double(g0[i]) * w0[i], square += double(w0[i]) * w0[i];
    for (std::size_t i = 0; i < g.size(); ++i)
      EXPECT_NEAR(g[i], (g0[i] - w0[i] * along / square) / std::sqrt(square), 10 * tolerance);
    for (bool nesterov : {false, true})
      for (bool zero_gradient : {false, true}) {
        auto w = w0, v = v0;
        k.sgd(w.data(), v.data(), zero_gradient ? nullptr : g0.data(), width,
              {.rate = .1, .weight_decay = .01, .momentum = .9, .nesterov = nesterov});
        for (std::size_t i = 0; i < w.size(); ++i) {
          const double d = (zero_gradient ? 0. : g0[i]) + .01 * w0[i], buffer = .9 * v0[i] + d;
          EXPECT_NEAR(v[i], buffer, tolerance);
          EXPECT_NEAR(w[i], w0[i] - .1 * (nesterov ? d + .9 * buffer : buffer), tolerance);
        }
      }
  });
}

// What bf16 holds: the nearest of its numbers, of two as near the one with an even last bit.
float bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

void expect_bf16_products(const Bf16Kernels& k, std::int64_t lanes) {
  for (std::int64_t n : {1, 5, 8, 13})
    for (std::int64_t depth : {1, 2, 3, 127, 300, 1101})
      for (bool add : {false, true}) {
        const std::int64_t width = 2 * lanes - 3, stride = depth + 3, out_stride = 2 * lanes + 1;
        const auto rows = wave<float>(n * stride, .7), columns = wave<float>(depth * (width + 1), 1.1);
        std::vector<float> formed(rows.size(), 9), panels(static_cast<std::size_t>(2 * lanes * (depth + 1)), 9);
        auto out = wave<float>(n * out_stride, .2);
        const auto before = out;
        k.round(rows.data(), stride, n, depth, formed.data(), stride);
        auto in_place = rows;
        k.round(in_place.data(), stride, n, depth, in_place.data(), stride);
        k.pack(columns.data(), width + 1, depth, width, panels.data());
        k.products(formed.data(), stride, n, depth, panels.data(), 2, out.data(), out_stride, add);
        auto again = before;
        k.products(in_place.data(), stride, n, depth, panels.data(), 2, again.data(), out_stride, add);
        EXPECT_EQ(again, out);
        for (std::int64_t r = 0; r < n; ++r)
          for (std::int64_t c = 0; c < out_stride; ++c) {
            const auto at = static_cast<std::size_t>(r * out_stride + c);
            if (c == out_stride - 1) {
              EXPECT_EQ(out[at], before[at]);
              continue;
            }
            double want = add ? before[at] : 0, size = 1;
            for (std::int64_t d = 0; d < depth && c < width; ++d) {
              const double product = static_cast<double>(bf16(rows[static_cast<std::size_t>(r * stride + d)])) *
                                     bf16(columns[static_cast<std::size_t>(d * (width + 1) + c)]);
              want += product, size += std::abs(product);
            }
            ASSERT_NEAR(out[at], want, 2e-6 * size) << n << " " << depth << " " << r << " " << c;
          }
      }
}

TEST_P(EveryIsa, ProductsOfBf16) {
  const Kernels& k = kernels(GetParam());
  expect_bf16_products(k.bf16, k.f32.lanes);
  // Ties go to even, and what is not finite stays so.
  std::vector<float> x = {1.00390625f, 1.01171875f, -1.00390625f, 0, INFINITY, -INFINITY, NAN, 3.4e38f, 1e-40f};
  k.bf16.round(x.data(), 9, 1, 9, x.data(), 9);
  EXPECT_EQ(x[0], 1.0f);
  EXPECT_EQ(x[1], 1.015625f);
  EXPECT_EQ(x[2], -1.0f);
  EXPECT_EQ(x[3], 0.0f);
  EXPECT_EQ(x[4], INFINITY);
  EXPECT_EQ(x[5], -INFINITY);
  EXPECT_TRUE(std::isnan(x[6]));
  EXPECT_TRUE(std::isinf(x[7])) << "beyond bf16's largest number";
  EXPECT_EQ(x[8], bf16(1e-40f));
}

TEST(HardwareBf16, Products) {
  const Bf16Kernels* k = hardware_bf16();
  if (!k) GTEST_SKIP() << "skipped: this CPU lacks AVX-512 BF16";
  expect_bf16_products(*k, kernels(Isa::kAvx512).f32.lanes);
}

INSTANTIATE_TEST_SUITE_P(Isa, EveryIsa, testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace likeness::train::kernel
