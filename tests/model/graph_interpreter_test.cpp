#include <gtest/gtest.h>

#include "core/error.h"
#include "model/graph/interpreter_kernel.h"
#include "tests/model/graph_forward.h"

namespace likeness::model {
namespace {

using Values = std::vector<double>;

class Forward : public testing::TestWithParam<const char*> {};
TEST_P(Forward, EqualsTheReferenceInDouble) { expect_reference_forward(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Shallow, Forward,
                         testing::Values("mbf", "mbf.128", "mbf_large", "r18", "r18.128", "r34", "vit_t"));

// The definition, one output value at a time.
Values plain_conv(const Values& x, const Values& weight, const Values& bias, const Node& node,
                  const std::vector<std::int64_t>& in, std::int64_t batch) {
  const std::int64_t per_group = in[0] / node.groups, outputs = node.shape[0] / node.groups;
  Values y;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t o = 0; o < node.shape[0]; ++o) {
      for (std::int64_t oy = 0; oy < node.shape[1]; ++oy) {
        for (std::int64_t ox = 0; ox < node.shape[2]; ++ox) {
          double sum = bias.empty() ? 0 : bias[o];
          for (std::int64_t c = 0; c < per_group; ++c) {
            for (int ky = 0; ky < node.kernel_h; ++ky) {
              for (int kx = 0; kx < node.kernel_w; ++kx) {
                const std::int64_t iy = oy * node.stride + ky - node.padding, ix = ox * node.stride + kx - node.padding;
                if (iy < 0 || iy >= in[1] || ix < 0 || ix >= in[2]) continue;
                const std::int64_t channel = o / outputs * per_group + c;
                sum += x[((b * in[0] + channel) * in[1] + iy) * in[2] + ix] *
                       weight[((o * per_group + c) * node.kernel_h + ky) * node.kernel_w + kx];
              }
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

TEST(Interpreter, ConvEqualsItsDefinition) {
  struct Case {
    std::int64_t channels, groups;
    int kh, kw, stride, padding;
    bool bias;
  };
  for (const Case& c : {Case{9, 1, 3, 3, 1, 1, false}, Case{9, 3, 3, 3, 2, 1, true}, Case{3, 3, 5, 1, 1, 0, true},
                        Case{12, 1, 1, 1, 2, 0, false}, Case{6, 3, 2, 4, 3, 2, true}}) {
    GraphBuilder g("test", 11, 9);
    const int x = g.conv("c", g.input(),
                         {.channels = c.channels,
                          .kernel = 0,
                          .stride = c.stride,
                          .padding = c.padding,
                          .groups = c.groups,
                          .bias = c.bias},
                         c.kh, c.kw);
    const Graph graph = g.finish(g.flatten("f", x));
    const Weights weights = deterministic_fill(graph);
    const Values input = Stream("conv").uniform(2 * 3 * 11 * 9, -1, 1);
    const Values output = Interpreter(graph, weights).run(input, 2);
    const Values bias = c.bias ? weights.at("c.bias").as_double() : Values{};
    const Values expected = plain_conv(input, weights.at("c.weight").as_double(), bias, graph.nodes[x], {3, 11, 9}, 2);
    EXPECT_LE(relative_error(output, expected), 1e-15) << c.channels << " " << c.kh << "x" << c.kw;
  }
}

TEST(Interpreter, NormPReluAddAndLinearByHand) {
  GraphBuilder g("test", 1, 2);  // [3,1,2]
  int x = g.batch_norm("bn", g.input(), 0.5);
  x = g.prelu("act", x);
  x = g.add("sum", x, g.input());
  x = g.dropout("drop", g.flatten("flat", x), 0.9);
  x = g.linear("fc", x, 2, true);
  const Graph graph = g.finish(x);
  Weights w = deterministic_fill(graph);
  const auto set = [&](const char* name, Values v) { w.tensors[name] = WeightTensor::f64(w.at(name).shape, v.data()); };
  set("bn.weight", {2, 1, 1});
  set("bn.bias", {1, 0, 0});
  set("bn.running_mean", {1, 0, 0});
  set("bn.running_var", {3.5, 0.5, 0.5});  // + epsilon: 4, 1, 1
  set("act.weight", {0.5, 0.25, -1});
  set("fc.weight", {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, -1});
  set("fc.bias", {10, 20});
  // channel 0: (x - 1) + 1 = x; channel 1, 2: x. PReLU: -2 -> -1, -4 -> -1, -5 -> 5. Then + x.
  const Values input{-2, 3, -4, 8, -5, 6};
  const Values summed{-3, 6, -5, 16, 0, 12};
  const Values expected{10 + (-3 + 6 - 5 + 16 + 0 + 12), 20 + (-3 - 12)};
  std::vector<Values> taps;
  EXPECT_EQ(Interpreter(graph, w).run(input, 1, 1, &taps), expected);
  EXPECT_EQ(taps.at(3), summed);
}

// softmax(q k^T / sqrt(size)) v from the definition, one output value at a time.
Values plain_attention(const Values& x, std::int64_t tokens, std::int64_t width, int heads) {
  const std::int64_t size = width / heads;
  Values y;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t head = c / size * size;
      double sum = 0, mixed = 0;
      for (std::int64_t other = 0; other < tokens; ++other) {
        double score = 0;
        for (std::int64_t i = 0; i < size; ++i)
          score += x[t * 3 * width + head + i] * x[other * 3 * width + width + head + i];
        const double share = std::exp(score / std::sqrt(static_cast<double>(size)));
        sum += share;
        mixed += share * x[other * 3 * width + 2 * width + c];
      }
      y.push_back(mixed / sum);
    }
  }
  return y;
}

TEST(Interpreter, AttentionEqualsItsDefinition) {
  for (const int heads : {1, 2, 6}) {
    GraphBuilder g("test", 3, 7);  // 21 tokens: not a multiple of the panel
    const int tokens = g.tokens("t", g.input());
    const int qkv = g.linear("qkv", tokens, 36, true);
    const int y = g.attention("a", qkv, heads);
    const Graph graph = g.finish(g.flatten("f", y));
    const Values input = Stream("attention").uniform(2 * 3 * 21, -2, 2);
    std::vector<Values> taps;
    const Values output = Interpreter(graph, deterministic_fill(graph)).run(input, 2, 1, &taps);
    EXPECT_EQ(taps.at(tokens).at(4), input.at(21 + 1)) << "token 1, channel 1";
    Values expected;
    for (int b = 0; b < 2; ++b) {
      const Values one(taps.at(qkv).begin() + b * 21 * 36, taps.at(qkv).begin() + (b + 1) * 21 * 36);
      const Values row = plain_attention(one, 21, 12, heads);
      expected.insert(expected.end(), row.begin(), row.end());
    }
    EXPECT_LE(relative_error(output, expected), 1e-14) << heads;
  }
}

TEST(Interpreter, TokensByHand) {
  GraphBuilder g("test", 1, 2);  // [3,1,2]: two tokens of three values
  int x = g.tokens("t", g.input());
  x = g.positions("p", "places", x);
  const int masked = x = g.mask_tokens("m", x, 0.5);
  const int norm = x = g.layer_norm("ln", x, 2);
  x = g.dropout("d", x, 0.5, /*whole=*/true);
  x = g.restore_tokens("r", "missing", x, masked);
  const int product = x = g.linear("fc", x, 2, true);
  x = g.relu6("relu", x);
  const Graph graph = g.finish(g.flatten("f", x));
  Weights w = deterministic_fill(graph);
  const auto set = [&](const char* name, Values v) { w.tensors[name] = WeightTensor::f64(w.at(name).shape, v.data()); };
  set("places", {1, 0, 0, 0, 0, 2});
  set("ln.weight", {1, 2, 1});
  set("ln.bias", {0, 0, 10});
  set("fc.weight", {1, 1, 1, 0, -1, 0});
  set("fc.bias", {0, 1});
  // Channels (-1, 4), (0, 4), (3, 5) -> tokens (-1, 0, 3) and (4, 4, 5), moved to (0, 0, 3) and (4, 4, 7). Means 1 and
  // 5, variances 2 and 2, so with epsilon 2 the deviation is 2: (-0.5, -0.5, 1) both.
  std::vector<Values> taps;
  const Values output = Interpreter(graph, w).run({-1, 4, 0, 4, 3, 5}, 1, 1, &taps);
  EXPECT_EQ(taps.at(norm), (Values{-0.5, -1, 11, -0.5, -1, 11}));
  EXPECT_EQ(taps.at(product), (Values{9.5, 2, 9.5, 2}));
  EXPECT_EQ(output, (Values{6, 2, 6, 2}));
}

class Independence : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Interpreter, Independence, testing::Values("mbf", "vit_t"));

TEST_P(Independence, ResultDoesNotDependOnThreadsOrBatch) {
  const Graph graph = build_backbone({.name = GetParam(), .input = 32, .embedding = 24});
  const Interpreter interpreter(graph, deterministic_fill(graph));
  const std::int64_t n = 9, picture = 3 * 32 * 32;
  const Values input = Stream("batch").uniform(n * picture, -1, 1);
  const Values together = interpreter.run(input, n, 1);
  EXPECT_EQ(interpreter.run(input, n, 2), together);
  EXPECT_EQ(interpreter.run(input, n, 5), together);
  for (std::int64_t i : {0, 4, 8}) {
    const Values one(input.begin() + i * picture, input.begin() + (i + 1) * picture);
    EXPECT_EQ(interpreter.run(one, 1), Values(together.begin() + i * 24, together.begin() + (i + 1) * 24)) << i;
  }
}

TEST(Interpreter, RefusesWeightsOfAnotherNetwork) {
  const Graph graph = build_backbone({.name = "mbf", .input = 32});
  EXPECT_THROW(Interpreter(graph, deterministic_fill(build_backbone({.name = "r18", .input = 32}))), Error);
}

TEST(InterpreterKernel, EveryVariantEqualsScalar) {
  int count = 0;
  const MultiplyVariant* variants = multiply_variants(&count);
  ASSERT_GE(count, 1);
  const MultiplyVariant& scalar = variants[count - 1];
  EXPECT_STREQ(scalar.name, "scalar");
  constexpr std::int64_t kDepth = 37, kRows = 21, kStride = 11;
  const Values weights = Stream("w").uniform(kRows * kDepth, -1, 1), bias = Stream("b").uniform(kRows, -1, 1);
  const Values source = Stream("p").uniform(kDepth * kPanel, -1, 1);
  alignas(64) double panel[kDepth * kPanel];
  std::copy(source.begin(), source.end(), panel);
  for (int v = 0; v < count; ++v) {
    for (int pixels = 1; pixels <= kPanel; ++pixels) {
      for (const double* b : {bias.data(), static_cast<const double*>(nullptr)}) {
        Values got(kRows * kStride, -7), want(kRows * kStride, -7);
        variants[v].run({weights.data(), panel, b, kDepth, kRows, kStride, pixels, got.data()});
        scalar.run({weights.data(), panel, b, kDepth, kRows, kStride, pixels, want.data()});
        for (std::size_t i = 0; i < got.size(); ++i) {
          if (static_cast<std::int64_t>(i) % kStride >= pixels) {
            EXPECT_EQ(got[i], -7) << "wrote beyond its pixels";
          } else {
            EXPECT_NEAR(got[i], want[i], 1e-14) << variants[v].name;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace likeness::model
