// The vector loops of every instruction set that this CPU has, against plain loops.
#include <gtest/gtest.h>

#include <cstring>

#include "model/torch/kernel/kernels.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using kernel::BF16;
using test::drawn;

const char* name_of(Isa isa) { return isa == Isa::kBaseline ? "baseline" : isa == Isa::kAvx2 ? "avx2" : "avx512"; }

template <class T>
std::vector<T> stored(const std::string& stream, std::int64_t n) {
  const at::Tensor t = drawn(stream, {n});
  std::vector<T> out(n);
  for (std::int64_t i = 0; i < n; ++i)
    kernel::store(static_cast<kernel::ComputeT<T>>(t.const_data_ptr<double>()[i]), out[i]);
  return out;
}

template <class T>
double widened(T v) {
  return kernel::load(v);
}

template <class T>
void expect_close(const std::vector<T>& got, const std::vector<double>& want, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(widened(got[i]), want[i], tolerance * std::max(1.0, std::abs(want[i]))) << what << " at " << i;
}

template <class T>
void check_norm_loops(Isa isa, std::int64_t rows, std::int64_t channels) {
  using A = kernel::ComputeT<T>;
  const auto& loops = kernel::norm_kernels<T>(kernel::kernels(isa));
  const std::string what = std::string(name_of(isa)) + ", " + std::to_string(channels) + " channels, " +
                           std::to_string(sizeof(T)) + " bytes";
  const double exact = sizeof(T) == 8 ? 1e-13 : 2e-5, stored_as = sizeof(T) == 8 ? 1e-13 : sizeof(T) == 4 ? 1e-6 : 8e-3;
  const std::vector<T> x = stored<T>("x", rows * channels), dz = stored<T>("dz", rows * channels),
                       residual = stored<T>("residual", rows * channels);
  const std::vector<A> mean = stored<A>("mean", channels), scale = stored<A>("scale", channels),
                       beta = stored<A>("beta", channels), slope = stored<A>("slope", channels),
                       b = stored<A>("b", channels), c = stored<A>("c", channels);
  for (const bool with_slope : {false, true}) {
    const kernel::NormConstants<A> k{mean.data(), scale.data(), beta.data(), with_slope ? slope.data() : nullptr};
    std::vector<double> sum(channels), square(channels), du_sum(channels), product(channels), slope_sum(channels);
    std::vector<double> want_sum(channels), want_square(channels), want_du(channels), want_product(channels),
        want_slope(channels);
    std::vector<double> want_z, want_dx;
    for (std::int64_t i = 0; i < rows * channels; ++i) {
      const std::int64_t ch = i % channels;
      const double d = widened(x[i]) - mean[ch], u = d * scale[ch] + beta[ch], g = widened(dz[i]),
                   a = with_slope ? slope[ch] : 1;
      const double du = u > 0 ? g : a * g;
      want_sum[ch] += d;
      want_square[ch] += d * d;
      want_du[ch] += du;
      want_product[ch] += du * d;
      want_slope[ch] += u > 0 ? 0 : u * g;
      want_z.push_back((u > 0 ? u : a * u) + widened(residual[i]));
      want_dx.push_back(scale[ch] * (du - b[ch] - d * c[ch]));
    }
    std::vector<T> z(x.size()), dx(x.size());
    loops.moments(x.data(), rows, channels, mean.data(), sum.data(), square.data());
    loops.forward(x.data(), residual.data(), z.data(), rows, channels, k);
    loops.reduce(x.data(), dz.data(), rows, channels, k, du_sum.data(), product.data(),
                 with_slope ? slope_sum.data() : nullptr);
    loops.backward(x.data(), dz.data(), dx.data(), rows, channels, k, b.data(), c.data());
    expect_close(sum, want_sum, exact, what + ", sum");
    expect_close(square, want_square, exact, what + ", square");
    expect_close(du_sum, want_du, exact, what + ", sum of gradients");
    expect_close(product, want_product, exact, what + ", product");
    if (with_slope) expect_close(slope_sum, want_slope, exact, what + ", slope");
    expect_close(z, want_z, stored_as, what + ", forward");
    expect_close(dx, want_dx, stored_as, what + ", backward");
  }
}

template <class T>
void check_group_loops(Isa isa, bool twin, int taps, std::int64_t channels) {
  using A = kernel::ComputeT<T>;
  const auto& loops = kernel::group_kernels<T>(kernel::kernels(isa), twin);
  const std::string what = std::string(name_of(isa)) + (twin ? ", twin, " : ", ") + std::to_string(channels) +
                           " channels, " + std::to_string(taps) + " taps";
  const std::vector<T> x = stored<T>("x", (taps + 20) * channels), dy = stored<T>("dy", 10 * channels);
  const std::vector<A> own = stored<A>("own", taps * channels), other = stored<A>("twin", taps * channels);
  std::vector<const T*> from;
  std::vector<const A*> own_at, twin_at;
  for (int t = 0; t < taps; ++t) {
    from.push_back(x.data() + (taps - 1 - t) * channels);
    own_at.push_back(own.data() + t * channels);
    twin_at.push_back(other.data() + t * channels);
  }
  std::vector<T> out(channels);
  std::vector<double> want(channels, 0.0), want_own(taps * channels, 1.0), want_twin(taps * channels, 1.0);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (int t = 0; t < taps; ++t) {
      want[c] += widened(from[t][c]) * own_at[t][c] + (twin ? widened(from[t][c ^ 1]) * twin_at[t][c] : 0);
      for (int i = 0; i < 10; ++i) {
        want_own[t * channels + c] += widened(dy[i * channels + c]) * widened(x[(2 * i + t) * channels + c]);
        if (twin)
          want_twin[t * channels + c] += widened(dy[i * channels + c]) * widened(x[(2 * i + t) * channels + (c ^ 1)]);
      }
    }
  }
  const double exact = sizeof(T) == 8 ? 1e-13 : 1e-5, stored_as = sizeof(T) == 8 ? 1e-13 : sizeof(T) == 4 ? 1e-5 : 8e-3;
  loops.gather(taps, from.data(), own_at.data(), twin_at.data(), out.data(), channels);
  expect_close(out, want, stored_as, what);
  std::vector<double> got_own(taps * channels, 1.0), got_twin(taps * channels, 1.0);
  loops.products(taps, dy.data(), x.data(), 2 * channels, 10, channels, got_own.data(),
                 twin ? got_twin.data() : nullptr);
  expect_close(got_own, want_own, exact, what + ", own");
  if (twin) expect_close(got_twin, want_twin, exact, what + ", twin");
}

class EveryIsa : public testing::TestWithParam<Isa> {};

TEST_P(EveryIsa, EqualsPlainLoops) {
  if (!supported(GetParam())) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
  for (const std::int64_t channels : {1, 2, 13, 127, 300}) {
    for (const std::int64_t rows : {1, 7, 150}) {
      check_norm_loops<float>(GetParam(), rows, channels);
      check_norm_loops<double>(GetParam(), rows, channels);
      check_norm_loops<BF16>(GetParam(), rows, channels);
    }
  }
  for (const std::int64_t channels : {1, 2, 14, 126, 127}) {
    for (const int taps : {1, 4, 9, 11}) {
      for (const bool twin : {false, true}) {
        if (twin && channels % 2 != 0) continue;
        check_group_loops<float>(GetParam(), twin, taps, channels);
        check_group_loops<double>(GetParam(), twin, taps, channels);
        check_group_loops<BF16>(GetParam(), twin, taps, channels);
      }
    }
  }
}

TEST_P(EveryIsa, RoundsToBf16AsPyTorchDoes) {
  if (!supported(GetParam())) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits < (1ull << 32);
       bits += 65521 * 13) {  // all exponents, infinities and not-a-numbers among them
    const auto narrow = static_cast<std::uint32_t>(bits);
    float v;
    std::memcpy(&v, &narrow, sizeof v);
    values.push_back(v);
  }
  for (const float tie : {1.00390625f, 1.01171875f, -1.00390625f, std::nanf(""), INFINITY, -INFINITY, 3.4e38f, -0.0f})
    values.push_back(tie);
  std::vector<BF16> out(values.size());
  std::vector<float> back(values.size());
  kernel::kernels(GetParam()).to_bf16(values.data(), out.data(), static_cast<std::int64_t>(values.size()));
  kernel::kernels(GetParam()).to_f32(out.data(), back.data(), static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float want = static_cast<float>(c10::BFloat16(values[i]));
    if (std::isnan(want))
      EXPECT_TRUE(std::isnan(back[i])) << values[i];
    else
      EXPECT_EQ(back[i], want) << values[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, EveryIsa, testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace likeness::model
