// Operators on tokens against their definitions, forward and backward.
#include <gtest/gtest.h>

#include <set>

#include "model/torch/tokens.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using test::drawn;
using test::expect_gradients;
using test::relative_error;

at::Tensor plain_attention(const at::Tensor& qkv, int heads) {
  const std::int64_t batch = qkv.size(0), tokens = qkv.size(1), size = qkv.size(2) / 3 / heads;
  const at::Tensor parts = qkv.view({batch, tokens, 3, heads, size}).permute({2, 0, 3, 1, 4});
  const at::Tensor shares =
      (at::matmul(parts[0], parts[1].transpose(2, 3)) / std::sqrt(static_cast<double>(size))).softmax(3);
  return at::matmul(shares, parts[2]).transpose(1, 2).reshape({batch, tokens, heads * size});
}

TEST(TorchTokens, AttentionEqualsItsDefinition) {
  for (const auto& [tokens, heads] : {std::pair{1, 2}, {7, 1}, {144, 8}, {129, 4}}) {
    const at::Tensor qkv = drawn("qkv", {2, tokens, 3 * 32}, -2, 2);
    const at::Tensor want = plain_attention(qkv, heads);
    EXPECT_LT(relative_error(attention(qkv, heads), want), 1e-14) << tokens;
    EXPECT_LT(relative_error(attention(qkv.to(at::kFloat), heads), want), 1e-6) << tokens;
    const at::Tensor coarse = attention(qkv.to(at::kBFloat16), heads);
    EXPECT_EQ(coarse.scalar_type(), at::kBFloat16);
    // The factors' rounding apart, only the result is rounded: half a unit of 8 bits at most.
    EXPECT_LT(relative_error(coarse, plain_attention(qkv.to(at::kBFloat16).to(at::kDouble), heads)), 1.0 / 512);
  }
  expect_gradients(
      {drawn("qkv", {2, 9, 3 * 8}, -2, 2)}, [](const std::vector<at::Tensor>& in) { return attention(in[0], 2); },
      "attention");
}

TEST(TorchTokens, AttentionsGradientInBf16IsRoundedOnlyAtItsEnds) {
  const at::Tensor qkv = drawn("qkv", {2, 21, 3 * 16}, -2, 2).to(at::kBFloat16),
                   r = drawn("r", {2, 21, 16}).to(at::kBFloat16);
  at::Tensor coarse = test::leaf(qkv), exact = test::leaf(qkv.to(at::kDouble));
  (attention(coarse, 2) * r).sum().backward();
  (plain_attention(exact, 2) * r.to(at::kDouble)).sum().backward();
  EXPECT_LT(relative_error(coarse.grad(), exact.grad()), 1.0 / 256);
}

TEST(TorchTokens, MapsBecomeTokensPlaceByPlace) {
  const at::Tensor maps = drawn("maps", {2, 5, 3, 4});
  const at::Tensor tokens = tokens_of(maps);
  EXPECT_TRUE(at::equal(tokens, maps.flatten(2).transpose(1, 2)));
  const at::Tensor last = test::channels_last(maps);
  EXPECT_EQ(tokens_of(last).const_data_ptr(), last.const_data_ptr()) << "a view, not a copy";
}

TEST(TorchTokens, LinearEqualsItsDefinition) {
  const at::Tensor x = drawn("x", {3, 17, 24}), weight = drawn("w", {40, 24}), bias = drawn("b", {40});
  const at::Tensor want = at::matmul(x, weight.t()) + bias;
  EXPECT_LT(relative_error(token_linear(x, weight, bias, false), want), 1e-15);
  EXPECT_LT(relative_error(token_linear(x, weight, {}, false), want - bias), 1e-15);
  const auto f32 = [](const at::Tensor& t) { return t.to(at::kFloat); };
  const auto rounded = [](const at::Tensor& t) { return t.to(at::kBFloat16).to(at::kDouble); };
  for (const at::Tensor& b : {bias, at::Tensor()}) {
    at::Tensor leaf_x = test::leaf(f32(x)), leaf_w = test::leaf(f32(weight));
    const at::Tensor y = token_linear(leaf_x, leaf_w, b.defined() ? f32(b) : b, true);
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(y.is_contiguous());
    const at::Tensor product = at::matmul(rounded(x), rounded(weight).t());
    EXPECT_LT(relative_error(y, b.defined() ? product + rounded(b) : product), 1.0 / 256);
    const at::Tensor r = drawn("r", y.sizes()).to(at::kBFloat16), dy = r.to(at::kDouble);
    (y * r).sum().backward();
    EXPECT_EQ(leaf_w.grad().scalar_type(), at::kFloat);
    EXPECT_LT(relative_error(leaf_x.grad(), at::matmul(dy, rounded(weight))), 1.0 / 256);
    EXPECT_LT(relative_error(leaf_w.grad(), at::matmul(dy.flatten(0, 1).t(), rounded(x).flatten(0, 1))), 1.0 / 256);
  }
}

TEST(TorchTokens, MaskingKeepsDistinctTokensInOrder) {
  const at::Tensor kept = kept_tokens(50, 144, 0.1, Rng(1, Purpose::kTest));
  ASSERT_EQ(kept.sizes(), (at::IntArrayRef{50, 129}));
  std::vector<int> counts(144, 0);
  for (std::int64_t b = 0; b < 50; ++b) {
    for (std::int64_t k = 0; k < 129; ++k) {
      const std::int64_t t = kept[b][k].item<std::int64_t>();
      ASSERT_TRUE(t >= 0 && t < 144);
      if (k > 0) {
        EXPECT_GT(t, kept[b][k - 1].item<std::int64_t>());
      }
      ++counts[t];
    }
  }
  // Each is kept with probability 129/144: 44.8 of 50 times, standard deviation 2.2.
  for (int c : counts) EXPECT_NEAR(c, 44.8, 5 * 2.2);
  EXPECT_TRUE(at::equal(kept, kept_tokens(50, 144, 0.1, Rng(1, Purpose::kTest))));
  EXPECT_FALSE(at::equal(kept, kept_tokens(50, 144, 0.1, Rng(2, Purpose::kTest))));
  EXPECT_EQ(kept_tokens(2, 1, 0.9, Rng(1, Purpose::kTest)).size(1), 1) << "one stays";
  EXPECT_TRUE(at::equal(kept_tokens(1, 5, 0, Rng(1, Purpose::kTest))[0], at::arange(5)));
}

TEST(TorchTokens, TakenTokensReturnToTheirPlaces) {
  const at::Tensor kept = at::tensor(std::vector<std::int64_t>{0, 2, 3, 1, 2, 4}).view({2, 3});
  const at::Tensor x = drawn("x", {2, 5, 4}), missing = drawn("missing", {1, 1, 4});
  const at::Tensor taken = take_tokens(x, kept), back = put_tokens(taken, kept, missing, 5);
  for (std::int64_t b = 0; b < 2; ++b) {
    std::set<std::int64_t> there;
    for (std::int64_t k = 0; k < 3; ++k) {
      const std::int64_t t = kept[b][k].item<std::int64_t>();
      there.insert(t);
      EXPECT_TRUE(at::equal(taken[b][k], x[b][t]));
      EXPECT_TRUE(at::equal(back[b][t], x[b][t]));
    }
    for (std::int64_t t = 0; t < 5; ++t) {
      if (there.count(t) == 0) {
        EXPECT_TRUE(at::equal(back[b][t], missing[0][0]));
      }
    }
  }
  expect_gradients(
      {x, missing},
      [&](const std::vector<at::Tensor>& in) { return put_tokens(take_tokens(in[0], kept).pow(2), kept, in[1], 5); },
      "masking");
  const at::Tensor all = kept_tokens(2, 5, 0, Rng(1, Purpose::kTest));
  at::Tensor unused = test::leaf(missing);
  const at::Tensor same = put_tokens(take_tokens(x, all), all, unused, 5);
  EXPECT_TRUE(at::equal(same, x));
  same.sum().backward();
  EXPECT_TRUE(at::equal(unused.grad(), at::zeros_like(missing)));
}

}  // namespace
}  // namespace likeness::model
