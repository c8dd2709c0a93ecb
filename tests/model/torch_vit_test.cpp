// What only training does to a Vision Transformer, and its gradients against differences.
#include <gtest/gtest.h>

#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using test::drawn;

// A whole picture's branch is dropped or kept, and seed and step alone say which.
TEST(TorchVit, StochasticDepthAndMasksDependOnSeedAndStepAlone) {
  Graph graph = build_backbone({.name = "vit_t", .input = 27, .embedding = 16});
  for (Node& node : graph.nodes) {
    if (node.op == Op::kDropout) node.dropout = 0.5;
  }
  const Weights weights = deterministic_fill(graph);
  const at::NoGradGuard no_grad;
  const at::Tensor images = drawn("images", {4, 3, 27, 27});
  const auto output = [&](std::uint64_t seed, std::int64_t step, int forwards) {
    TorchModel model(graph, weights, at::kDouble);
    model.seed_dropout(seed, step);
    at::Tensor out;
    for (int i = 0; i < forwards; ++i) out = model.forward(images);
    return out;
  };
  EXPECT_TRUE(at::equal(output(1, 5, 1), output(1, 5, 1)));
  EXPECT_FALSE(at::equal(output(1, 5, 1), output(1, 6, 1)));
  EXPECT_FALSE(at::equal(output(1, 5, 1), output(2, 5, 1)));
  EXPECT_TRUE(at::equal(output(1, 5, 2), output(1, 6, 1)));
}

TEST(TorchVit, WholeDropoutTakesAPictureOrLeavesIt) {
  GraphBuilder g("test", 4, 4);
  Graph graph = g.finish(g.flatten("f", g.dropout("d", g.input(), 0.2, /*whole=*/true)));
  TorchModel model(std::move(graph), {}, at::kDouble);
  const at::Tensor images = drawn("images", {1000, 3, 4, 4});
  const at::Tensor got = model.forward(images), want = images.flatten(1) / 0.8;
  int kept = 0;
  for (std::int64_t b = 0; b < 1000; ++b) {
    const bool zero = at::equal(got[b], at::zeros_like(got[b]));
    EXPECT_TRUE(zero || test::relative_error(got[b], want[b]) < 1e-15) << b;
    kept += !zero;
  }
  EXPECT_NEAR(kept, 800, 5 * 12.7);
  model.train(false);
  EXPECT_TRUE(at::equal(model.forward(images), images.flatten(1)));
}

// Every parameter of a ViT along a random direction, in training mode, with its random parts held still.
TEST(TorchVit, VitGradientsEqualDifferences) {
  Graph graph = build_backbone({.name = "vit_t", .input = 27, .embedding = 16});
  const Weights weights = deterministic_fill(graph);
  TorchModel model(graph, weights, at::kDouble);
  const at::Tensor images = drawn("images", {4, 3, 27, 27}), r = drawn("r", {4, 16});
  const auto loss = [&] {
    model.seed_dropout(3, 7);
    return (model.forward(images) * r).sum();
  };
  loss().backward();
  const at::NoGradGuard no_grad;
  int compared = 0;
  for (const auto& [name, parameter] : model.parameters()) {
    const bool middle =
        name.starts_with("blocks.") && !name.starts_with("blocks.0.") && !name.starts_with("blocks.11.");
    if (middle) continue;  // alike, and each costs two forwards
    ASSERT_TRUE(parameter.grad().defined()) << name;
    const at::Tensor direction = drawn("direction:" + name, parameter.sizes()), value = parameter.clone();
    const double step = 1e-5 / direction.norm().item<double>();
    const auto moved = [&](double by) {
      at::Tensor p = parameter;
      p.copy_(value + by * direction);
      return loss().item<double>();
    };
    const double numeric = (moved(step) - moved(-step)) / (2 * step);
    at::Tensor(parameter).copy_(value);
    const double analytic = (parameter.grad() * direction).sum().item<double>();
    EXPECT_NEAR(analytic, numeric, 1e-6 * std::max(1.0, std::abs(numeric))) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 4 + 2 * 11 + 2 + 6);
}

}  // namespace
}  // namespace likeness::model
