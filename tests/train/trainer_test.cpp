// Whole runs of a toy in this process: stopped anywhere and resumed they end with the same bytes.
#include "train/trainer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/train/toy_net.h"
#include "tests/train/toy_run.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::read_text_file;

class TrainerTest : public test::ToyRuns {};

TEST_F(TrainerTest, StoppedAtAnyStepAndResumedItEndsWithTheSameBytes) {
  const std::vector<std::string> dropout = {"backbone.name=r18", "backbone.dropout=0.3"};
  for (const auto& extra : {std::vector<std::string>{}, dropout}) {
    const std::string tag = extra.empty() ? "mbf" : "r18";
    const int steps = extra.empty() ? 13 : 8;
    run_training(request(tag, steps, extra), {});
    for (int stop : {1, 4, 5, 6}) {
      const std::string out = tag + std::to_string(stop);
      stop_and_resume(out, steps, stop, extra);
      expect_same_end(tag, out);
    }
  }
}

TEST_F(TrainerTest, TwoRunsAreEqualAndAnotherSeedIsNot) {
  for (const char* out : {"a", "b"}) run_training(request(out, 4), {});
  run_training(request("c", 4, {"seed=2"}), {});
  expect_same_end("a", "b");
  EXPECT_FALSE(read_text_file(last("a") / "model.safetensors") == read_text_file(last("c") / "model.safetensors"));
}

TEST_F(TrainerTest, LossFallsAndTheRunIsAModel) {
  const TrainOutcome end = run_training(request("run", 60, {"optimizer.rate=0.1"}), {});
  std::istringstream csv(read_text_file(dir_ / "run/log.csv"));
  std::string header, first;
  std::getline(csv, header), std::getline(csv, first);
  const double before = std::stod(first.substr(first.find(',', first.find(',') + 1) + 1));
  EXPECT_LT(end.last.loss, .5 * before);
  const model::TrainedModel m = model::load_model(dir_ / "run");
  EXPECT_EQ(m.contract.geometry.name, "unknown");
  EXPECT_EQ(m.contract.dimension, 16);
  EXPECT_EQ(m.contract.weights_hash, model::weights_hash(m.graph, m.weights));
}

TEST_F(TrainerTest, NoStepsWriteTheUntrainedNetwork) {
  run_training(request("untrained", 0), {});
  const model::TrainedModel m = model::load_model(dir_ / "untrained");
  EXPECT_EQ(model::weights_hash(m.graph, m.weights), model::weights_hash(m.graph, model::initial_weights(m.graph, 1)));
}

TEST_F(TrainerTest, TheBestByTheFirstMetricIsKept) {
  int n = 0;
  const double scores[] = {.5, .9, .7};
  const JudgeMaker judges = [&](const std::string& entry) {
    EXPECT_EQ(entry, "pairs.bin");
    return [&](engine::Engine& network) {
      EXPECT_EQ(network.contract().dimension, 16);
      EXPECT_EQ(network.run(std::vector<float>(2 * 3 * 16 * 16, .25f), 2).size(), 32u);
      if (network.name() == "noise") return Metrics{};
      ++n;
      return Metrics{{"accuracy", scores[n - 1]}, {"auc", 1 - .1 * n}};
    };
  };
  const TrainOutcome end = run_training(request("run", 6, {"validate=[pairs.bin]", "validate_every=2"}), judges);
  EXPECT_EQ(n, 3);
  EXPECT_EQ(end.best, .9);
  EXPECT_EQ(end.best_step, 4);
  EXPECT_EQ(read_text_file(dir_ / "run/best/step"), "4\n");
  EXPECT_NE(read_text_file(dir_ / "run/log.jsonl").find("\"accuracy\":0.9"), std::string::npos);
  EXPECT_EQ(model::find_model_file(dir_ / "run"), dir_ / "run/best/model.safetensors");
  // Judging does not change what is trained.
  run_training(request("plain", 6), {});
  expect_same_end("plain", "run");
}

TEST_F(TrainerTest, AValidationSetThatCannotBeJudgedIsRefusedBeforeTheFirstStep) {
  const JudgeMaker broken = [](const std::string& entry) -> Judge {
    return [entry](engine::Engine&) -> Metrics { fail_data({.what = "no pairs left", .where = entry}); };
  };
  EXPECT_EQ(error_of([&] { run_training(request("run", 6, {"validate=[pairs.bin]"}), broken); }).parts().what,
            "no pairs left");
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(TrainerTest, ADivergingRunNamesStepAndPicturesAndSparesTheCheckpoint) {
  const Error e = error_of([&] {
    run_training(request("run", 20,
                         {"optimizer.rate=1e3", "optimizer.clip=0", "schedule.kind=constant", "checkpoint_every=1",
                          "head.scale=1e4", "guard.skips=0", "guard.rollbacks=0"}),
                 {});
  });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(e.parts().what.find("diverged"), std::string::npos) << e.what();
  EXPECT_NE(e.parts().where.find(".jpg"), std::string::npos) << e.what();
  const auto newest = newest_checkpoint(dir_ / "run");
  ASSERT_TRUE(newest);
  const std::string step = newest->filename().string().substr(5);
  EXPECT_TRUE(e.parts().where.starts_with("step " + std::to_string(std::stol(step) + 1) + ",")) << e.what();
  load_checkpoint(*newest);  // still sound
  EXPECT_FALSE(fs::exists(dir_ / "run/DONE"));
}

// The first rates are absurd: the run skips, goes back, and ends well at a thousandth of them.
TEST_F(TrainerTest, ADivergingRunGoesBackAndSlowsDown) {
  const TrainOutcome end = run_training(
      request("run", 12,
              {"optimizer.rate=1e3", "optimizer.clip=0", "head.scale=1e4", "schedule.kind=constant",
               "checkpoint_every=1", "keep=20", "guard.skips=1", "guard.rollbacks=6", "guard.slower=1e-3"}),
      {});
  EXPECT_EQ(end.last.step, 12);
  EXPECT_TRUE(std::isfinite(end.last.loss));
  EXPECT_TRUE(fs::exists(dir_ / "run/DONE"));
  EXPECT_LT(load_checkpoint(last("run")).progress.rate_factor, 1);
}

// A network without batch norm, in f64: three micro-batches of four are one batch of twelve.
TEST(Accumulation, EqualsTheLargeBatch) {
  const model::Graph graph = test::small_graph();
  for (const RowRuleKind kind : {RowRuleKind::kSgd, RowRuleKind::kAdamW}) {
    std::vector<at::Tensor> ends[2];
    for (const std::int64_t count : {1, 3}) {
      model::TorchModel network(graph, model::initial_weights(graph, 1), at::kDouble);
      Classifier head({.classes = 7, .dimension = 8, .seed = 2}, at::kDouble);
      Recipe recipe;
      recipe.optimizer.kind = kind;
      recipe.accumulate = count;
      recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 3};
      Trainer trainer(network, head, recipe, at::kCPU);
      std::vector<at::Tensor>& end = ends[count == 1 ? 0 : 1];
      for (int n = 0; n < 3; ++n) {
        const at::Tensor images = at::sin(at::arange(12 * 3 * 256, at::kDouble) * (n + .37)).reshape({12, 3, 16, 16});
        const at::Tensor labels = (at::arange(12, at::kLong) * 5 + n) % 7;
        std::int64_t i = 0;
        const StepMeters m = trainer.step(count, [&] {
          const std::int64_t size = 12 / count, first = size * i++;
          return MicroBatch{images.narrow(0, first, size), labels.narrow(0, first, size).contiguous()};
        });
        end.push_back(m.loss), end.push_back(m.gradient_norm);
      }
      end.push_back(head.weight().clone());
      for (const auto& [name, tensor] : network.parameters()) end.push_back(tensor.detach().clone());
    }
    for (std::size_t i = 0; i < ends[0].size(); ++i)
      EXPECT_LT(((ends[0][i] - ends[1][i]).norm() / ends[0][i].norm()).item<double>(), 1e-12) << i;
  }
}

TEST_F(TrainerTest, NonFiniteLossIsFoundInTheMiddleOfALogWindow) {
  Meters meters([](std::int64_t i) { return "record " + std::to_string(i); });
  const std::vector<std::int64_t> index = {4, 9};
  for (std::int64_t step = 1; step <= 3; ++step) {
    const double loss = step == 2 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
    const std::vector<std::int64_t> shifted = {index[0] + step, index[1] + step};
    meters.add(step, {.loss = at::scalar_tensor(loss), .gradient_norm = at::scalar_tensor(2.0), .rate = .1},
               shifted.data(), 2);
  }
  LogRow row;
  const Error e = error_of([&] { meters.flush(&row); });
  EXPECT_EQ(e.parts().where, "step 2, pictures record 6, record 11");
}

TEST_F(TrainerTest, ResumingWithOtherSettingsOrDataIsRefused) {
  run_training(request("run", 4), {});
  const Error setting = error_of([&] { run_training(request("run", 4, {"head.scale=8"}, RunStart::kResume), {}); });
  EXPECT_EQ(setting.kind(), ErrorKind::kUsage);
  EXPECT_NE(setting.parts().where.find("head.scale"), std::string::npos);
  EXPECT_EQ(setting.parts().expected, "16");
  EXPECT_EQ(setting.parts().got, "8");
  EXPECT_EQ(error_of([&] { run_training(request("run", 4, {"backbone.name=r18"}, RunStart::kResume), {}); }).kind(),
            ErrorKind::kUsage);
  data_ = test::make_toy_set(dir_ / "others", 4, 6);
  const Error data = error_of([&] { run_training(request("run", 4, {}, RunStart::kResume), {}); });
  EXPECT_EQ(data.kind(), ErrorKind::kData);
}

TEST_F(TrainerTest, WhatAKilledSaveLeftGoesThoughNothingIsLeftToSave) {
  run_training(request("run", 3), {});
  const fs::path left = dir_ / "run/checkpoints/.step-3.killed";
  fs::create_directories(left);
  fs::remove(dir_ / "run/DONE");
  EXPECT_EQ(run_training(request("run", 3, {}, RunStart::kResume), {}).resumed_from, 3);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(dir_ / "run/DONE"));
}

TEST_F(TrainerTest, ResumeWithoutACheckpointStartsFresh) {
  const TrainOutcome end = run_training(request("run", 3, {}, RunStart::kResume), {});
  EXPECT_EQ(end.resumed_from, -1);
  EXPECT_EQ(end.last.step, 3);
  // And a finished run has nothing left to do.
  const TrainOutcome again = run_training(request("run", 3, {}, RunStart::kResume), {});
  EXPECT_EQ(again.resumed_from, 3);
  EXPECT_TRUE(fs::exists(dir_ / "run/DONE"));
}

TEST_F(TrainerTest, InitTakesWeightsOfTheSameNetworkOnly) {
  run_training(request("first", 3), {});
  run_training(request("second", 0, {"backbone.init=" + (dir_ / "first").string()}), {});
  EXPECT_TRUE(model::load_model(dir_ / "first").contract.weights_hash ==
              model::load_model(dir_ / "second").contract.weights_hash);
  const Error e = error_of([&] {
    run_training(request("third", 0, {"backbone.init=" + (dir_ / "first").string(), "backbone.embedding=8"}), {});
  });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(e.parts().where.find("first"), std::string::npos) << e.what();
}

TEST_F(TrainerTest, WeightDecayCanLeaveNormsAndSlopesAlone) {
  // The first step has the same gradients in all three: what differs is the decay.
  run_training(request("everything", 1, {"optimizer.weight_decay=0.5"}), {});
  run_training(request("matrices", 1, {"optimizer.weight_decay=0.5", "optimizer.decay=matrices"}), {});
  run_training(request("none", 1, {"optimizer.weight_decay=0"}), {});
  const auto all = model::load_model(dir_ / "everything"), some = model::load_model(dir_ / "matrices"),
             none = model::load_model(dir_ / "none");
  int vectors = 0, matrices = 0;
  for (const model::TensorSpec& t : all.graph.tensors) {
    if (!t.parameter || !t.trainable) continue;
    const auto& a = all.weights.tensors.at(t.name).data;
    const auto& s = some.weights.tensors.at(t.name).data;
    const auto& n = none.weights.tensors.at(t.name).data;
    if (t.shape.size() > 1) {
      EXPECT_TRUE(a == s) << t.name;
      matrices += a != n;
    } else {
      EXPECT_TRUE(s == n) << t.name;
      vectors += a != n;
    }
  }
  EXPECT_GT(matrices, 10);
  EXPECT_GT(vectors, 10);
}

}  // namespace
}  // namespace likeness::train
