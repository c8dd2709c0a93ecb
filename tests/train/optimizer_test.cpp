// The optimizer against torch's own, and the clipping against its definition.
#include "train/optim/optimizer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/errors.h"

namespace likeness::train {
namespace {

at::Tensor leaf(at::IntArrayRef shape, double phase) {
  std::int64_t n = 1;
  for (std::int64_t s : shape) n *= s;
  return at::sin(at::arange(n, at::kDouble) + phase).reshape(shape).clone().requires_grad_(true);
}

TEST(Optimizer, EqualsTorchWithGroupsMomentumAndDecay) {
  for (const auto& [momentum, nesterov] : {std::pair(.9, false), std::pair(.9, true), std::pair(0., false)}) {
    at::Tensor a = leaf({3, 5}, 0), b = leaf({7}, 1), ta = a.detach().clone().requires_grad_(true),
               tb = b.detach().clone().requires_grad_(true);
    Optimizer ours({{.name = "a", .value = a, .weight_decay = .01, .rate = 1},
                    {.name = "b", .value = b, .weight_decay = 0, .rate = .5}},
                   {.momentum = momentum, .nesterov = nesterov});
    auto options = [&, m = momentum, n = nesterov](double rate, double decay) {
      return std::make_unique<torch::optim::SGDOptions>(
          torch::optim::SGDOptions(rate).momentum(m).weight_decay(decay).nesterov(n));
    };
    torch::optim::SGD theirs({torch::optim::OptimizerParamGroup({ta}, options(.1, .01)),
                              torch::optim::OptimizerParamGroup({tb}, options(.05, 0))},
                             torch::optim::SGDOptions(.1).momentum(momentum));
    for (int step = 0; step < 5; ++step) {
      for (auto [x, y] : {std::pair{a, b}, std::pair{ta, tb}}) {
        at::Tensor loss = (x * x).sum() + (y.exp() * y).sum();
        loss.backward();
      }
      ours.step(.1, step);
      EXPECT_FALSE(a.grad().defined());  // freed, so that the next backward hands over its own
      theirs.step();
      theirs.zero_grad();
      EXPECT_TRUE(at::allclose(a, ta, 1e-15, 1e-15) && at::allclose(b, tb, 1e-15, 1e-15)) << "step " << step;
    }
  }
}

TEST(Optimizer, EqualsTorchsAdamW) {
  at::Tensor a = leaf({3, 5}, 0), b = leaf({7}, 1), ta = a.detach().clone().requires_grad_(true),
             tb = b.detach().clone().requires_grad_(true);
  Optimizer ours({{.name = "a", .value = a, .weight_decay = .1, .rate = 1}, {.name = "b", .value = b, .rate = .5}},
                 {.kind = RowRuleKind::kAdamW, .beta1 = .8, .beta2 = .95, .epsilon = 1e-6});
  const auto options = [](double rate, double decay) {
    return std::make_unique<torch::optim::AdamWOptions>(
        torch::optim::AdamWOptions(rate).betas({.8, .95}).eps(1e-6).weight_decay(decay));
  };
  torch::optim::AdamW theirs({torch::optim::OptimizerParamGroup({ta}, options(.1, .1)),
                              torch::optim::OptimizerParamGroup({tb}, options(.05, 0))},
                             torch::optim::AdamWOptions(.1));
  for (int step = 0; step < 5; ++step) {
    for (auto [x, y] : {std::pair{a, b}, std::pair{ta, tb}}) {
      at::Tensor loss = (x * x).sum() + (y.exp() * y).sum();
      loss.backward();
    }
    ours.step(.1, step);
    theirs.step();
    theirs.zero_grad();
    EXPECT_TRUE(at::allclose(a, ta, 1e-13, 1e-13) && at::allclose(b, tb, 1e-13, 1e-13)) << "step " << step;
  }
}

TEST(Optimizer, GroupsByPattern) {
  const std::vector<std::pair<std::string, at::Tensor>> named = {
      {"stem.weight", leaf({2, 3}, 0)}, {"stem.bias", leaf({2}, 0)}, {"fc.weight", leaf({3, 2}, 0)}};
  const auto p = group_parameters(
      named, {.weight_decay = .1, .decay_everything = false, .rates = {{"*", .5}, {"fc.*", 2}}, .freeze = {"*.bias"}});
  ASSERT_EQ(p.size(), 2u);
  EXPECT_EQ(p[0].name, "stem.weight");
  EXPECT_EQ(p[0].weight_decay, .1);
  EXPECT_EQ(p[0].rate, .5);
  EXPECT_EQ(p[1].rate, 2);
  EXPECT_FALSE(named[1].second.requires_grad());
  const auto message = [&](const ParameterGroups& o) {
    return test::refusal([&] { group_parameters(named, o); }, ErrorKind::kUsage);
  };
  EXPECT_NE(message({.freeze = {"layer9.*"}}).find("layer9.*"), std::string::npos);
  EXPECT_NE(message({.freeze = {"*"}}).find("nothing is left"), std::string::npos);
}

TEST(Clip, ByValue) {
  at::Tensor a = leaf({3}, 0);
  a.mutable_grad() = at::tensor({-7., .5, 3.}, at::kDouble);
  clip_gradient_value({a}, 2);
  EXPECT_TRUE(at::equal(a.grad(), at::tensor({-2., .5, 2.}, at::kDouble)));
}

TEST(Optimizer, LayoutsOfValueAndGradientMayDiffer) {
  at::Tensor x = leaf({2, 3, 4, 4}, 0), y = x.detach().clone().requires_grad_(true);
  x.mutable_grad() =
      at::ones({2, 3, 4, 4}, at::kDouble).mul_(at::arange(4, at::kDouble)).contiguous(at::MemoryFormat::ChannelsLast);
  y.mutable_grad() = x.grad().contiguous();
  Optimizer a({{.name = "x", .value = x}}, {}), b({{.name = "y", .value = y}}, {});
  a.step(.1, 0);
  b.step(.1, 0);
  EXPECT_TRUE(at::equal(x, y));
}

TEST(Clip, ScalesToTheNormAndOnlyWhenAbove) {
  at::Tensor a = leaf({4}, 0), b = leaf({3}, 0);
  const auto fill = [&] {
    a.mutable_grad() = at::full({4}, 3.0, at::kDouble), b.mutable_grad() = at::full({3}, 4.0, at::kDouble);
  };
  const double norm = std::sqrt(4 * 9 + 3 * 16);
  fill();
  EXPECT_NEAR(clip_gradient_norm({a, b}, 5).item<double>(), norm, 1e-14);
  EXPECT_NEAR(a.grad()[0].item<double>(), 3 * 5 / (norm + 1e-6), 1e-14);
  for (double limit : {100.0, 0.0}) {
    fill();
    EXPECT_NEAR(clip_gradient_norm({a, b}, limit).item<double>(), norm, 1e-14);
    EXPECT_EQ(a.grad()[0].item<double>(), 3);
  }
}

}  // namespace
}  // namespace likeness::train
