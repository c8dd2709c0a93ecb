// Activation checkpointing: the same numbers to the bit, from fewer kept values.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "model/torch/recompute.h"

namespace likeness::model {
namespace {

TEST(Recompute, PiecesCoverThePlanAndCutWhereOneValueLives) {
  for (const std::string name : {"mbf", "r50"}) {
    const std::vector<Step> plan = make_plan(build_backbone({.name = name, .input = 32}));
    const auto pieces = pieces_of_plan(plan);
    EXPECT_GE(pieces.size(), 4u) << name;
    int next = 0;
    for (const auto& [first, last] : pieces) {
      EXPECT_EQ(first, next);
      EXPECT_LE(last - first, 3 * static_cast<int>(std::sqrt(plan.size()))) << name;
      // Nothing but the piece before reaches into it.
      for (int s = first; first > 0 && s < last; ++s)
        for (int read : {plan[s].input, plan[s].other}) {
          bool inside = read < 0 || read == plan[first - 1].output;
          for (int t = first; t < s; ++t) inside = inside || plan[t].output == read;
          EXPECT_TRUE(inside) << name << " step " << s;
        }
      next = last;
    }
    EXPECT_EQ(next, static_cast<int>(plan.size()));
  }
}

// Two steps with dropout and moving statistics; a frozen parameter and bf16 along the way.
TEST(Recompute, GradientsAndStatisticsAreTheSameToTheBit) {
  struct Case {
    std::string name;
    double dropout;
    bool bf16;
  };
  for (const Case& c : {Case{"mbf", 0, false}, Case{"r18", .3, false}, Case{"mbf", 0, true}}) {
    const Graph graph = build_backbone({.name = c.name, .input = 32, .embedding = 16, .dropout = c.dropout});
    std::vector<at::Tensor> results[2];
    Weights states[2];
    for (const int again : {0, 1}) {
      TorchModel model(graph, initial_weights(graph, 3), at::kFloat);
      model.set_recompute(again == 1);
      model.set_bf16(c.bf16);
      model.seed_dropout(7, 0);
      at::Tensor(model.parameters()[3].second).set_requires_grad(false);
      for (int step = 0; step < 2; ++step) {
        const at::Tensor e =
            model.forward(at::sin(at::arange(4 * 3 * 32 * 32, at::kFloat) * (.37f + step)).reshape({4, 3, 32, 32}));
        e.backward(at::sin(at::arange(e.numel(), at::kFloat)).reshape(e.sizes()));
        results[again].push_back(e.detach());
      }
      for (const auto& [name, parameter] : model.parameters()) {
        EXPECT_EQ(parameter.grad().defined(), parameter.requires_grad()) << name;
        if (parameter.grad().defined()) results[again].push_back(parameter.grad());
      }
      states[again] = model.state();
    }
    ASSERT_EQ(results[0].size(), results[1].size());
    for (std::size_t i = 0; i < results[0].size(); ++i)
      EXPECT_TRUE(at::equal(results[0][i], results[1][i])) << c.name << " " << i;
    for (const auto& [name, tensor] : states[0].tensors)
      EXPECT_TRUE(tensor.data == states[1].tensors.at(name).data) << c.name << " " << name;
  }
}

}  // namespace
}  // namespace likeness::model
