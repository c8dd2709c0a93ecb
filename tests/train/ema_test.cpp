// The moving average against its recursion in plain doubles, over ranks, and in whole runs.
#include "train/optim/ema.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "model/torch/tensors.h"
#include "tests/train/ranks.h"
#include "tests/train/toy_net.h"
#include "tests/train/toy_run.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::error_of;

// Value of every number of the state at step n, by tensor, index and step.
double path(std::size_t tensor, std::int64_t i, int n) {
  return std::sin(.7 * static_cast<double>(tensor) + .13 * static_cast<double>(i) + 1.9 * n) + 1.5;
}

void move(const model::TorchModel& network, int n) {
  const at::NoGradGuard no_grad;
  std::size_t k = 0;
  for (const auto& [name, tensor] : network.tensors()) {
    at::Tensor values = at::empty(tensor.sizes(), at::kDouble);
    for (std::int64_t i = 0; i < values.numel(); ++i) values.mutable_data_ptr<double>()[i] = path(k, i, n);
    at::Tensor(tensor).copy_(values);
    ++k;
  }
}

TEST(Ema, EqualsItsRecursionInPlainDoubles) {
  constexpr int kSteps = 40;
  for (const EmaOptions o : {EmaOptions{.decay = .9, .warmup = 0}, EmaOptions{.decay = .95, .warmup = 10},
                             EmaOptions{.decay = .9, .warmup = 0, .copy_statistics = true}}) {
    const model::Graph graph = test::small_graph(6, true);
    model::TorchModel network(graph, model::initial_weights(graph, 1), at::kDouble);
    move(network, 0);
    Ema ema(network, o);
    for (int n = 0; n < kSteps; ++n) {
      move(network, n + 1);
      ema.update(n);
    }
    const model::Weights average = ema.state();
    std::size_t k = 0;
    int statistics = 0;
    for (const auto& [name, tensor] : network.tensors()) {
      const bool copied = o.copy_statistics && name.find("running") != std::string::npos;
      statistics += copied;
      const std::vector<double> got = average.tensors.at(name).as_double();
      for (std::size_t i = 0; i < got.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        double want = path(k, at, 0);
        for (int n = 0; n < kSteps; ++n) {
          const double d = o.warmup == 0 ? o.decay : std::min(o.decay, (1.0 + n) / (10 + n));
          want = d * want + (1 - d) * path(k, at, n + 1);
        }
        if (o.warmup == 0) {  // and the closed form
          double closed = std::pow(o.decay, kSteps) * path(k, at, 0);
          for (int n = 0; n < kSteps; ++n)
            closed += (1 - o.decay) * std::pow(o.decay, kSteps - 1 - n) * path(k, at, n + 1);
          ASSERT_NEAR(want, closed, 1e-13);
        }
        ASSERT_NEAR(got[i], copied ? path(k, at, kSteps) : want, 1e-13) << name << " " << i;
      }
      ++k;
    }
    EXPECT_EQ(statistics, o.copy_statistics ? 2 : 0);
  }
}

TEST(Ema, TheDecayWarmsUp) {
  const EmaOptions o{.decay = .9999, .warmup = 10};
  EXPECT_EQ(ema_decay(o, 0), .1);
  EXPECT_EQ(ema_decay(o, 90), .91);
  EXPECT_LT(ema_decay(o, 89'000), .9999);
  EXPECT_EQ(ema_decay(o, 90'000), .9999);
  EXPECT_EQ(ema_decay({.decay = .5, .warmup = 0}, 0), .5);
}

TEST(Ema, ExchangesAndLeavesWhatDoesNotMove) {
  const model::Graph graph = test::small_graph(6, true);
  model::TorchModel network(graph, model::initial_weights(graph, 1), at::kFloat);
  Ema ema(network, {.decay = .999});
  const model::Weights start = network.state();
  for (int n = 0; n < 50; ++n) ema.update(n);
  for (const auto& [name, tensor] : start.tensors)
    EXPECT_TRUE(ema.state().tensors.at(name).data == tensor.data) << name;
  move(network, 3);
  ema.update(50);
  const model::Weights live = network.state(), average = ema.state();
  EXPECT_FALSE(live.tensors.at("conv.weight").data == average.tensors.at("conv.weight").data);
  {
    const AverageInUse in_use(&ema);
    EXPECT_TRUE(network.state().tensors.at("conv.weight").data == average.tensors.at("conv.weight").data);
  }
  for (const auto& [name, tensor] : live.tensors) {
    EXPECT_TRUE(network.state().tensors.at(name).data == tensor.data) << name;
    EXPECT_TRUE(ema.state().tensors.at(name).data == average.tensors.at(name).data) << name;
  }
  const AverageInUse none(nullptr);
  model::Weights other = average;
  other.tensors.erase("fc.bias");
  EXPECT_NE(test::refusal([&] { ema.load(other, "somewhere"); }).find("fc.bias"), std::string::npos);
}

// Two ranks see different pictures and keep the same average of the parameters.
TEST(Ema, RanksKeepTheSameAverage) {
  std::vector<model::Weights> averages(2);
  test::on_ranks(2, [&](Group& group) {
    const model::Graph graph = test::small_graph(6, true);
    model::TorchModel network(graph, model::initial_weights(graph, 1), at::kFloat);
    Classifier head({.classes = 5, .dimension = 6, .seed = 2}, at::kFloat, &group);
    Recipe recipe;
    recipe.ema = {.decay = .9};
    recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 4};
    Trainer trainer(network, head, recipe, at::kCPU);
    for (int n = 0; n < 4; ++n)
      trainer.step({at::sin(at::arange(4 * 3 * 256, at::kFloat) * (n + .37 + group.rank())).reshape({4, 3, 16, 16}),
                    (at::arange(4, at::kLong) + n + group.rank()) % 5});
    averages[static_cast<std::size_t>(group.rank())] = trainer.ema()->state();
  });
  int alike = 0;
  for (const auto& [name, tensor] : averages[0].tensors) {
    const bool statistic = name.find("running") != std::string::npos;  // each rank's own
    EXPECT_EQ(tensor.data == averages[1].tensors.at(name).data, !statistic) << name;
    alike += !statistic;
  }
  EXPECT_GT(alike, 5);
}

class EmaRuns : public test::ToyRuns {};

TEST_F(EmaRuns, StoppedAndResumedTheyEndWithTheSameBytes) {
  const std::vector<std::string> average = {"ema.decay=0.9"};
  run_training(request("whole", 9, average), {});
  EXPECT_TRUE(fs::exists(last("whole") / "ema.safetensors"));
  for (int stop : {3, 4}) {
    stop_and_resume("stopped" + std::to_string(stop), 9, stop, average);
    expect_same_end("whole", "stopped" + std::to_string(stop));
  }
  // The average changes nothing about the run itself, and cannot be dropped half-way.
  run_training(request("plain", 9), {});
  EXPECT_TRUE(test::read_text_file(last("plain") / "model.safetensors") ==
              test::read_text_file(last("whole") / "model.safetensors"));
  const Error e = error_of([&] { run_training(request("whole", 9, {}, RunStart::kResume), {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_NE(e.parts().where.find("ema."), std::string::npos);
}

TEST_F(EmaRuns, TheAverageIsJudgedAndTaken) {
  const std::vector<float> probe(3 * 16 * 16, .25f);
  std::vector<float> judged;
  const JudgeMaker judges = [&](const std::string&) {
    return [&](engine::Engine& network) {
      judged = network.run(probe, 1);
      return Metrics{{"accuracy", .5}};
    };
  };
  run_training(request("run", 6, {"ema.decay=0.9", "validate=[x]", "validate_every=6"}), judges);
  const auto answer = [&](const fs::path& model) {
    const model::TrainedModel m = model::load_model(model);
    model::TorchModel network(m.graph, m.weights, at::kFloat);
    network.train(false);
    const at::NoGradGuard no_grad;
    const at::Tensor out = network.forward(at::full({1, 3, 16, 16}, .25f)).contiguous();
    return std::vector<float>(out.const_data_ptr<float>(), out.const_data_ptr<float>() + out.numel());
  };
  EXPECT_EQ(model::find_model_file(dir_ / "run"), dir_ / "run/best/ema.safetensors");
  EXPECT_EQ(model::find_model_file(last("run")), last("run") / "ema.safetensors");
  EXPECT_EQ(answer(dir_ / "run"), judged);
  EXPECT_EQ(answer(last("run")), judged);
  EXPECT_NE(answer(dir_ / "run/best/model.safetensors"), judged);
  EXPECT_NE(test::read_text_file(dir_ / "run/provenance.json").find("ema.safetensors"), std::string::npos);
}

}  // namespace
}  // namespace likeness::train
