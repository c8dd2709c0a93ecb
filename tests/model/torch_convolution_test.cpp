// Every kind of convolution: gradients against finite differences, everything against PyTorch's own, borders and odd
// sizes.
#include <gtest/gtest.h>

#include "model/torch/convolution.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using test::channels_last;
using test::drawn;
using test::expect_gradients;
using test::leaf;
using test::relative_error;

struct ConvCase {
  std::int64_t batch, in, out, height, width;
  int kernel, stride, padding, groups;
};
const std::vector<ConvCase> kConvCases = {
    {2, 13, 7, 5, 6, 1, 1, 0, 1},      {3, 127, 33, 4, 4, 1, 1, 0, 1},  // pointwise
    {2, 1, 1, 5, 5, 1, 1, 0, 1},       {2, 13, 13, 6, 7, 3, 1, 1, 13},
    {2, 127, 127, 7, 5, 3, 2, 1, 127},                                    // depthwise
    {2, 26, 26, 6, 7, 3, 1, 1, 13},    {2, 126, 126, 8, 9, 3, 2, 1, 63},  // two channels a group
    {2, 6, 6, 1, 1, 3, 2, 1, 3},       {2, 5, 5, 4, 4, 4, 1, 0, 5},
    {3, 16, 16, 7, 7, 7, 1, 0, 16},  // borders, global
    {2, 5, 5, 9, 9, 5, 3, 2, 5},       {2, 3, 13, 9, 9, 3, 2, 1, 1},
    {2, 12, 8, 6, 6, 3, 1, 1, 2},  // oneDNN's
    {2, 12, 8, 6, 6, 1, 2, 0, 1}};

std::string name_of(const ConvCase& c) {
  return std::to_string(c.in) + "->" + std::to_string(c.out) + ", kernel " + std::to_string(c.kernel) + ", stride " +
         std::to_string(c.stride) + ", groups " + std::to_string(c.groups);
}
ConvShape shape_of(const ConvCase& c) { return {.stride = c.stride, .padding = c.padding, .groups = c.groups}; }
std::vector<at::Tensor> conv_inputs(const ConvCase& c) {
  return {channels_last(drawn("x", {c.batch, c.in, c.height, c.width})),
          drawn("weight", {c.out, c.in / c.groups, c.kernel, c.kernel}), drawn("bias", {c.out})};
}

TEST(Convolution, GradientsEqualFiniteDifferences) {
  for (const ConvCase& c : kConvCases) {
    expect_gradients(
        conv_inputs(c),
        [&](const std::vector<at::Tensor>& in) { return convolution(in[0], in[1], in[2], shape_of(c)); }, name_of(c));
  }
}

// Against PyTorch in f64. `rounded`: the factors that the operator sees are rounded to bf16 first, so only sums and
// results differ.
void expect_like_pytorch(const ConvCase& c, at::ScalarType maps, double tolerance) {
  const bool bf16 = maps == at::kBFloat16;
  const auto seen = [&](const at::Tensor& t) { return (bf16 ? t.to(at::kBFloat16) : t).to(at::kDouble); };
  const std::vector<at::Tensor> in = conv_inputs(c);
  const at::Tensor x = leaf(in[0].to(maps)), weight = leaf(in[1].to(bf16 ? at::kFloat : maps));
  const at::Tensor want_x = leaf(seen(in[0])), want_weight = leaf(seen(in[1]));
  const at::Tensor got = convolution(x, weight, {}, shape_of(c));
  EXPECT_EQ(got.scalar_type(), maps);
  EXPECT_TRUE(got.is_contiguous(at::MemoryFormat::ChannelsLast)) << name_of(c);
  const at::Tensor want =
      at::conv2d(want_x, want_weight, {}, {c.stride, c.stride}, {c.padding, c.padding}, {1, 1}, c.groups);
  EXPECT_LT(relative_error(got, want), tolerance) << name_of(c);
  const at::Tensor r = seen(drawn("r", want.sizes()));
  got.backward(channels_last(r.to(maps)));
  want.backward(r);
  EXPECT_LT(relative_error(x.grad(), want_x.grad()), tolerance) << name_of(c);
  EXPECT_LT(relative_error(weight.grad(), want_weight.grad()), bf16 && !bf16_is_native() ? 1e-6 : tolerance)
      << name_of(c);
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

}  // namespace
}  // namespace likeness::model
