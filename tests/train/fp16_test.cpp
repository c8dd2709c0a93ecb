// fp16 on the CPU, where it is emulated: close to f32, overflows that all ranks skip together, resume.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/train/ranks.h"
#include "tests/train/toy_net.h"
#include "tests/train/toy_run.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

at::Tensor pictures(int n, std::int64_t count = 4) {
  return at::sin(at::arange(count * 3 * 256, at::kFloat) * (n + .37)).reshape({count, 3, 16, 16});
}
at::Tensor labels(int n, std::int64_t count = 4) { return (at::arange(count, at::kLong) * 3 + n) % 5; }

constexpr double kStart = 64;  // a toy's gradients are large

struct Rig {
  Rig(const model::Graph& graph, const std::string& precision, Group* group = nullptr, double start = kStart)
      : network(graph, model::initial_weights(graph, 1), at::kFloat),
        head({.classes = 5, .dimension = 6, .loss = {"cosface", {{"scale", 16}}}, .seed = 2}, at::kFloat, group) {
    Recipe recipe;
    recipe.precision = precision;
    recipe.loss_scale = start;
    recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 100};
    trainer = std::make_unique<Trainer>(network, head, recipe, at::kCPU);
  }
  model::TorchModel network;
  Classifier head;
  std::unique_ptr<Trainer> trainer;
};

TEST(Fp16, FollowsF32) {
  const model::Graph graph = test::small_graph(6, true);
  Rig half(graph, "fp16"), whole(graph, "f32");
  EXPECT_EQ(whole.trainer->scaler(), nullptr);
  for (int n = 0; n < 8; ++n) {
    const StepMeters a = half.trainer->step({pictures(n), labels(n)}),
                     b = whole.trainer->step({pictures(n), labels(n)});
    EXPECT_FALSE(a.skipped);
    EXPECT_NEAR(a.loss.item<double>(), b.loss.item<double>(), .02 * b.loss.item<double>()) << n;
    EXPECT_NEAR(a.gradient_norm.item<double>(), b.gradient_norm.item<double>(), .05 * b.gradient_norm.item<double>());
    EXPECT_NE(a.gradient_norm.item<double>(), b.gradient_norm.item<double>());  // it is not f32
  }
  EXPECT_EQ(half.trainer->scaler()->state().good, 8);
}

// Faint pictures make short embeddings and a gradient beyond fp16's range, on one of two ranks.
TEST(Fp16, AnOverflowOnOneRankIsSkippedByAll) {
  test::on_ranks(2, [&](Group& group) {
    constexpr double kHigh = 2048;  // the toy's gradients of usual pictures stay below fp16's range with it
    Rig rig(test::small_graph(6), "fp16", &group, kHigh);
    const int mine = 7 * group.rank();
    EXPECT_FALSE(rig.trainer->step({pictures(mine), labels(mine)}).skipped);
    const model::Weights before = rig.network.state();
    const double faint = group.rank() == 1 ? 1e-4 : 1;
    const StepMeters m = rig.trainer->step({pictures(mine) * faint, labels(mine)});
    EXPECT_TRUE(m.skipped && m.overflowed) << group.rank();
    EXPECT_EQ(rig.trainer->scaler()->scale(), kHigh / 2);
    for (const auto& [name, tensor] : rig.network.state().tensors)
      EXPECT_TRUE(tensor.data == before.tensors.at(name).data) << group.rank() << " " << name;
    EXPECT_FALSE(rig.trainer->step({pictures(mine + 1), labels(mine)}).skipped);
    EXPECT_FALSE(rig.network.state().tensors.at("conv.weight").data == before.tensors.at("conv.weight").data);
  });
}

class Fp16Runs : public test::ToyRuns {};

TEST_F(Fp16Runs, StoppedAndResumedTheyEndWithTheSameBytes) {
  // The first steps overflow, later ones do not: both kinds lie on either side of the stop.
  const std::vector<std::string> fp16 = {"precision=fp16", "loss_scale=4096"};
  run_training(request("whole", 16, fp16), {});
  stop_and_resume("stopped", 16, 5, fp16);
  expect_same_end("whole", "stopped");
  const auto scale = load_checkpoint(last("whole")).optimizer.tensors.at("loss_scale").as_double();
  EXPECT_LT(scale.at(0), 4096);
  EXPECT_GT(scale.at(1), 0);
}

}  // namespace
}  // namespace likeness::train
