// Each operator against its definition: every instruction set against plain loops, gradients against finite differences and against
// PyTorch's own operators, odd numbers of channels and pixels.
#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include <functional>

#include "model/torch/convolution.h"
#include "model/torch/kernel/kernels.h"
#include "model/torch/norm.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using kernel::BF16;
using kernel::Isa;
using test::drawn;
using test::relative_error;

at::Tensor channels_last(const at::Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); }
at::Tensor leaf(const at::Tensor& t) { return t.detach().clone().set_requires_grad(true); }

// The gradient of sum(f(inputs) * r) in f64 against central differences, a few entries of each input.
void expect_gradients(const std::vector<at::Tensor>& inputs, const std::function<at::Tensor(const std::vector<at::Tensor>&)>& f,
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
      EXPECT_NEAR(gradient.view(-1)[k].item<double>(), numeric, 1e-6 * std::max(1.0, std::abs(numeric))) << what << ", input " << i << ", entry " << k;
    }
  }
}

struct NormCase {
  std::int64_t batch, channels, side;
  bool slope, residual, training;
};

std::vector<NormCase> norm_cases() {
  std::vector<NormCase> cases;
  for (const std::int64_t channels : {1, 13, 127, 300}) {
    for (const bool slope : {false, true}) {
      for (const bool residual : {false, true}) cases.push_back({3, channels, 5, slope, residual, true});
    }
  }
  cases.push_back({70, 8, 7, true, true, true});    // more rows than one piece of partial sums
  cases.push_back({5, 13, 0, false, false, true});  // [B,C]
  cases.push_back({3, 13, 5, true, true, false});
  return cases;
}

std::vector<at::Tensor> norm_inputs(const NormCase& c) {
  std::vector<std::int64_t> shape{c.batch, c.channels};
  if (c.side > 0) shape.insert(shape.end(), {c.side, c.side});
  std::vector<at::Tensor> in{drawn("x", shape) + 3, drawn("gamma", {c.channels}, 0.5, 1.5), drawn("beta", {c.channels})};
  if (c.slope) in.push_back(drawn("slope", {c.channels}, 0.1, 0.4));
  if (c.residual) in.push_back(drawn("residual", shape));
  return in;
}

NormParameters norm_parameters(const NormCase& c, const std::vector<at::Tensor>& in, const at::Tensor& mean, const at::Tensor& var) {
  return {.gamma = in[1], .beta = in[2], .running_mean = mean, .running_var = var, .slope = c.slope ? in[3] : at::Tensor(),
          .epsilon = 1e-5, .momentum = 0.1, .training = c.training};
}

std::string name_of(const NormCase& c) {
  return std::to_string(c.channels) + " channels" + (c.slope ? ", slope" : "") + (c.residual ? ", residual" : "") + (c.training ? "" : ", evaluation");
}

TEST(Norm, GradientsEqualFiniteDifferences) {
  for (const NormCase& c : norm_cases()) {
    if (c.batch > 10) continue;  // with so many values per channel, a step moves some across PReLU's kink
    expect_gradients(norm_inputs(c), [&](const std::vector<at::Tensor>& in) {
      const at::Tensor mean = at::full({c.channels}, 2.9, at::kDouble), var = at::full({c.channels}, 0.7, at::kDouble);
      return norm(in[0], c.residual ? in.back() : at::Tensor(), norm_parameters(c, in, mean, var));
    }, name_of(c));
  }
}

// Output, gradients and running statistics of PyTorch's batch norm, PReLU and addition.
void expect_like_pytorch(const NormCase& c, at::ScalarType dtype, double tolerance) {
  std::vector<at::Tensor> ours, theirs;
  for (const at::Tensor& t : norm_inputs(c)) {
    ours.push_back(leaf(t.to(dtype)));
    theirs.push_back(leaf(t));
  }
  const at::Tensor mean = drawn("mean", {c.channels}) + 3, var = drawn("var", {c.channels}, 0.5, 1.5);
  const at::Tensor our_mean = mean.to(dtype).clone(), our_var = var.to(dtype).clone();
  const at::Tensor got = norm(ours[0], c.residual ? ours.back() : at::Tensor(), norm_parameters(c, ours, our_mean, our_var));
  at::Tensor want = at::batch_norm(theirs[0], theirs[1], theirs[2], mean, var, c.training, 0.1, 1e-5, false);
  if (c.slope) want = at::prelu(want, theirs[3]);
  if (c.residual) want = want + theirs.back();
  EXPECT_LT(relative_error(got, want), tolerance) << name_of(c);
  const at::Tensor r = drawn("r", want.sizes());
  (got * r.to(dtype)).sum().backward();
  (want * r).sum().backward();
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_LT(relative_error(ours[i].grad(), theirs[i].grad()), 4 * tolerance) << name_of(c) << ", input " << i;
  EXPECT_LT(relative_error(our_mean, mean), tolerance);
  EXPECT_LT(relative_error(our_var, var), tolerance);
}

TEST(Norm, EqualsPyTorchF64) {
  for (const NormCase& c : norm_cases()) expect_like_pytorch(c, at::kDouble, 1e-12);
}
TEST(Norm, EqualsPyTorchF32) {
  for (const NormCase& c : norm_cases()) expect_like_pytorch(c, at::kFloat, 4e-6);
}

TEST(Norm, KeepsItsAccuracyFarFromZero) {  // a difference of squares around zero would lose every digit here
  const at::Tensor x = drawn("x", {64, 13, 9, 9}) + 1000;
  const at::Tensor ones = at::ones({13}), zeros = at::zeros({13});
  const at::Tensor got = norm(x.to(at::kFloat), {}, {.gamma = ones, .beta = zeros, .running_mean = zeros.clone(), .running_var = ones.clone(), .slope = {}});
  const at::Tensor rounded = x.to(at::kFloat).to(at::kDouble);
  const at::Tensor centred = rounded - rounded.mean({0, 2, 3}, true);
  const at::Tensor want = centred / (centred.square().mean({0, 2, 3}, true) + 1e-5).sqrt();
  EXPECT_LT(relative_error(got, want), 1e-4);
}

TEST(Norm, IsTheSameForAnyNumberOfThreads) {
  const at::Tensor x = leaf(channels_last(drawn("x", {32, 40, 14, 14}).to(at::kFloat)));
  const at::Tensor gamma = leaf(at::ones({40})), beta = leaf(at::zeros({40})), slope = leaf(at::full({40}, 0.25));
  const int before = at::get_num_threads();
  std::vector<at::Tensor> outputs, gradients;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor z = norm(x, {}, {.gamma = gamma, .beta = beta, .running_mean = at::zeros({40}), .running_var = at::ones({40}), .slope = slope});
    z.square().sum().backward();
    outputs.push_back(z.detach());
    gradients.push_back(x.grad().clone());
    x.mutable_grad().reset();
  }
  at::set_num_threads(before);
  for (int i : {1, 2}) {
    EXPECT_TRUE(at::equal(outputs[0], outputs[i]));
    EXPECT_TRUE(at::equal(gradients[0], gradients[i]));
  }
}

TEST(Norm, RefusesASingleValuePerChannel) {
  const at::Tensor one = at::ones({4});
  EXPECT_THROW(norm(at::ones({1, 4}), {}, {.gamma = one, .beta = one, .running_mean = one.clone(), .running_var = one.clone(), .slope = {}}), c10::Error);
}

struct ConvCase {
  std::int64_t batch, in, out, height, width;
  int kernel, stride, padding, groups;
};
const std::vector<ConvCase> kConvCases = {
    {2, 13, 7, 5, 6, 1, 1, 0, 1},     {3, 127, 33, 4, 4, 1, 1, 0, 1},                                       // pointwise
    {2, 1, 1, 5, 5, 1, 1, 0, 1},      {2, 13, 13, 6, 7, 3, 1, 1, 13},   {2, 127, 127, 7, 5, 3, 2, 1, 127},  // depthwise
    {2, 26, 26, 6, 7, 3, 1, 1, 13},   {2, 126, 126, 8, 9, 3, 2, 1, 63},                                     // two channels a group
    {2, 6, 6, 1, 1, 3, 2, 1, 3},      {2, 5, 5, 4, 4, 4, 1, 0, 5},      {3, 16, 16, 7, 7, 7, 1, 0, 16},     // borders, global
    {2, 5, 5, 9, 9, 5, 3, 2, 5},      {2, 3, 13, 9, 9, 3, 2, 1, 1},     {2, 12, 8, 6, 6, 3, 1, 1, 2},       // oneDNN's
    {2, 12, 8, 6, 6, 1, 2, 0, 1}};

std::string name_of(const ConvCase& c) {
  return std::to_string(c.in) + "->" + std::to_string(c.out) + ", kernel " + std::to_string(c.kernel) + ", stride " + std::to_string(c.stride) + ", groups " + std::to_string(c.groups);
}
ConvShape shape_of(const ConvCase& c) { return {.stride = c.stride, .padding = c.padding, .groups = c.groups}; }
std::vector<at::Tensor> conv_inputs(const ConvCase& c) {
  return {channels_last(drawn("x", {c.batch, c.in, c.height, c.width})), drawn("weight", {c.out, c.in / c.groups, c.kernel, c.kernel}), drawn("bias", {c.out})};
}

TEST(Convolution, GradientsEqualFiniteDifferences) {
  for (const ConvCase& c : kConvCases) {
    expect_gradients(conv_inputs(c), [&](const std::vector<at::Tensor>& in) { return convolution(in[0], in[1], in[2], shape_of(c)); }, name_of(c));
  }
}

// Against PyTorch in f64. `rounded`: the factors that the operator sees are rounded to bf16 first, so only sums and results differ.
void expect_like_pytorch(const ConvCase& c, at::ScalarType maps, double tolerance) {
  const bool bf16 = maps == at::kBFloat16;
  const auto seen = [&](const at::Tensor& t) { return (bf16 ? t.to(at::kBFloat16) : t).to(at::kDouble); };
  const std::vector<at::Tensor> in = conv_inputs(c);
  const at::Tensor x = leaf(in[0].to(maps)), weight = leaf(in[1].to(bf16 ? at::kFloat : maps));
  const at::Tensor want_x = leaf(seen(in[0])), want_weight = leaf(seen(in[1]));
  const at::Tensor got = convolution(x, weight, {}, shape_of(c));
  EXPECT_EQ(got.scalar_type(), maps);
  EXPECT_TRUE(got.is_contiguous(at::MemoryFormat::ChannelsLast)) << name_of(c);
  const at::Tensor want = at::conv2d(want_x, want_weight, {}, {c.stride, c.stride}, {c.padding, c.padding}, {1, 1}, c.groups);
  EXPECT_LT(relative_error(got, want), tolerance) << name_of(c);
  const at::Tensor r = seen(drawn("r", want.sizes()));
  got.backward(channels_last(r.to(maps)));
  want.backward(r);
  EXPECT_LT(relative_error(x.grad(), want_x.grad()), tolerance) << name_of(c);
  EXPECT_LT(relative_error(weight.grad(), want_weight.grad()), bf16 && !bf16_is_native() ? 1e-6 : tolerance) << name_of(c);
  EXPECT_EQ(weight.grad().scalar_type(), weight.scalar_type());
}

TEST(Convolution, EqualsPyTorchF64) {
  for (const ConvCase& c : kConvCases) expect_like_pytorch(c, at::kDouble, 1e-13);
}
TEST(Convolution, EqualsPyTorchF32) {
  for (const ConvCase& c : kConvCases) expect_like_pytorch(c, at::kFloat, 1e-6);
}
TEST(Convolution, Bf16RoundsFactorsAndResultOnly) {
  for (const ConvCase& c : kConvCases) expect_like_pytorch(c, at::kBFloat16, 3e-3);
}

// ---- every instruction set that this CPU has, against plain loops -------------------------------------------------------------

const char* name_of(Isa isa) { return isa == Isa::kBaseline ? "baseline" : isa == Isa::kAvx2 ? "avx2" : "avx512"; }

template <class T> std::vector<T> stored(const std::string& stream, std::int64_t n) {
  const at::Tensor t = drawn(stream, {n});
  std::vector<T> out(n);
  for (std::int64_t i = 0; i < n; ++i) kernel::store(static_cast<kernel::ComputeT<T>>(t.const_data_ptr<double>()[i]), out[i]);
  return out;
}

template <class T> double widened(T v) { return kernel::load(v); }

template <class T> void expect_close(const std::vector<T>& got, const std::vector<double>& want, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(widened(got[i]), want[i], tolerance * std::max(1.0, std::abs(want[i]))) << what << " at " << i;
}

template <class T> void check_norm_loops(Isa isa, std::int64_t rows, std::int64_t channels) {
  using A = kernel::ComputeT<T>;
  const auto& loops = kernel::norm_kernels<T>(kernel::kernels(isa));
  const std::string what = std::string(name_of(isa)) + ", " + std::to_string(channels) + " channels, " + std::to_string(sizeof(T)) + " bytes";
  const double exact = sizeof(T) == 8 ? 1e-13 : 2e-5, stored_as = sizeof(T) == 8 ? 1e-13 : sizeof(T) == 4 ? 1e-6 : 8e-3;
  const std::vector<T> x = stored<T>("x", rows * channels), dz = stored<T>("dz", rows * channels), residual = stored<T>("residual", rows * channels);
  const std::vector<A> mean = stored<A>("mean", channels), scale = stored<A>("scale", channels), beta = stored<A>("beta", channels),
                       slope = stored<A>("slope", channels), b = stored<A>("b", channels), c = stored<A>("c", channels);
  for (const bool with_slope : {false, true}) {
    const kernel::NormConstants<A> k{mean.data(), scale.data(), beta.data(), with_slope ? slope.data() : nullptr};
    std::vector<double> sum(channels), square(channels), du_sum(channels), product(channels), slope_sum(channels);
    std::vector<double> want_sum(channels), want_square(channels), want_du(channels), want_product(channels), want_slope(channels);
    std::vector<double> want_z, want_dx;
    for (std::int64_t i = 0; i < rows * channels; ++i) {
      const std::int64_t ch = i % channels;
      const double d = widened(x[i]) - mean[ch], u = d * scale[ch] + beta[ch], g = widened(dz[i]), a = with_slope ? slope[ch] : 1;
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
    loops.reduce(x.data(), dz.data(), rows, channels, k, du_sum.data(), product.data(), with_slope ? slope_sum.data() : nullptr);
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

template <class T> void check_group_loops(Isa isa, bool twin, int taps, std::int64_t channels) {
  using A = kernel::ComputeT<T>;
  const auto& loops = kernel::group_kernels<T>(kernel::kernels(isa), twin);
  const std::string what = std::string(name_of(isa)) + (twin ? ", twin, " : ", ") + std::to_string(channels) + " channels, " + std::to_string(taps) + " taps";
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
        if (twin) want_twin[t * channels + c] += widened(dy[i * channels + c]) * widened(x[(2 * i + t) * channels + (c ^ 1)]);
      }
    }
  }
  const double exact = sizeof(T) == 8 ? 1e-13 : 1e-5, stored_as = sizeof(T) == 8 ? 1e-13 : sizeof(T) == 4 ? 1e-5 : 8e-3;
  loops.gather(taps, from.data(), own_at.data(), twin_at.data(), out.data(), channels);
  expect_close(out, want, stored_as, what);
  std::vector<double> got_own(taps * channels, 1.0), got_twin(taps * channels, 1.0);
  loops.products(taps, dy.data(), x.data(), 2 * channels, 10, channels, got_own.data(), twin ? got_twin.data() : nullptr);
  expect_close(got_own, want_own, exact, what + ", own");
  if (twin) expect_close(got_twin, want_twin, exact, what + ", twin");
}

class EveryIsa : public testing::TestWithParam<Isa> {};

TEST_P(EveryIsa, EqualsPlainLoops) {
  if (!kernel::supported(GetParam())) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
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
  if (!kernel::supported(GetParam())) GTEST_SKIP() << "this CPU lacks " << name_of(GetParam());
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 65521 * 13) {  // all exponents, infinities and not-a-numbers among them
    const auto narrow = static_cast<std::uint32_t>(bits);
    float v;
    std::memcpy(&v, &narrow, sizeof v);
    values.push_back(v);
  }
  for (const float tie : {1.00390625f, 1.01171875f, -1.00390625f, std::nanf(""), INFINITY, -INFINITY, 3.4e38f, -0.0f}) values.push_back(tie);
  std::vector<BF16> out(values.size());
  std::vector<float> back(values.size());
  kernel::kernels(GetParam()).to_bf16(values.data(), out.data(), static_cast<std::int64_t>(values.size()));
  kernel::kernels(GetParam()).to_f32(out.data(), back.data(), static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float want = static_cast<float>(c10::BFloat16(values[i]));
    if (std::isnan(want)) EXPECT_TRUE(std::isnan(back[i])) << values[i];
    else EXPECT_EQ(back[i], want) << values[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, EveryIsa, testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace likeness::model
