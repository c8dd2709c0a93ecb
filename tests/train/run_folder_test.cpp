// Run folders and checkpoints as files: whole, digested, pruned, cut back on resume.
#include "train/run_folder.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::read_text_file;

LogRow row(std::int64_t step) {
  return {.step = step,
          .epoch = .5,
          .loss = 3.25,
          .rate = .05,
          .gradient_norm = 2,
          .pictures_per_second = 90,
          .seconds = 1};
}

TEST(RunFolder, ResumeDropsLaterLinesAndKeepsEarlierOnes) {
  test::TempDir dir;
  const fs::path run = dir / "run";
  {
    RunFolder folder(run, RunStart::kNew, 0, "seed: 1\n", {{"command", "likeness train x"}});
    for (std::int64_t step : {50, 100, 150}) folder.log(row(step));
    folder.log_validation(150, "lfw", {{"accuracy", .8}});
  }
  test::write_text(run / "log.jsonl",
                   read_text_file(run / "log.jsonl") + "{\"kind\":\"train\",\"st");  // cut short by a crash
  {
    RunFolder folder(run, RunStart::kResume, 100, "seed: 1\n", {{"command", "likeness train x --resume"}});
    folder.log(row(200));
    folder.done(row(200));
  }
  EXPECT_EQ(read_text_file(run / "log.csv"),
            "step,epoch,loss,rate,gradient_norm,pictures_per_second,seconds\n50,0.5000,3.25,0.05,2,90.0,1.0\n100,0."
            "5000,3.25,0.05,2,90.0,1.0\n"
            "200,0.5000,3.25,0.05,2,90.0,1.0\n");
  std::istringstream lines(read_text_file(run / "log.jsonl"));
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(lines, line);) steps.push_back(nlohmann::json::parse(line).at("step"));
  EXPECT_EQ(steps, (std::vector<std::int64_t>{50, 100, 200}));
  const auto provenance = nlohmann::json::parse(read_text_file(run / "provenance.json"));
  ASSERT_EQ(provenance.at("starts").size(), 2u);
  EXPECT_EQ(provenance["starts"][1].at("step"), 100);
  EXPECT_EQ(provenance["starts"][0].at("command"), "likeness train x");
  EXPECT_EQ(nlohmann::json::parse(read_text_file(run / "DONE")).at("step"), 200);
}

TEST(RunFolder, AStepThatStandsOutIsALineOfTheLog) {
  test::TempDir dir;
  {
    RunFolder folder(dir / "run", RunStart::kNew, 0, "seed: 1\n", {});
    folder.log_outlier({.step = 7, .metric = "loss", .value = 9, .z = 8.5, .median = 3}, {"a.jpg", "b.jpg"});
    folder.log_outlier({.step = 8, .metric = "gradient_norm", .value = 1, .z = INFINITY, .median = 0}, {});
  }
  std::istringstream lines(read_text_file(dir / "run/log.jsonl"));
  std::string first, second;
  std::getline(lines, first), std::getline(lines, second);
  EXPECT_EQ(nlohmann::json::parse(first),
            nlohmann::json::parse(R"({"kind": "outlier", "step": 7, "metric": "loss", "value": 9.0, "z": 8.5,
                                      "median": 3.0, "pictures": ["a.jpg", "b.jpg"]})"));
  EXPECT_TRUE(nlohmann::json::parse(second).at("z").is_null());
}

TEST(RunFolder, AKillWhileTheBestIsReplacedLosesNothing) {
  test::TempDir dir;
  const fs::path run = dir / "run";
  { RunFolder folder(run, RunStart::kNew, 0, "seed: 1\n", {}); }
  for (const char* name : {".best.old-12-3", ".best.partial-12-2"}) {
    fs::create_directories(run / name);
    test::write_text(run / name / "step", name);
  }
  { RunFolder folder(run, RunStart::kResume, 0, "seed: 1\n", {}); }
  EXPECT_EQ(read_text_file(run / "best/step"), ".best.old-12-3");
  fs::create_directories(run / ".best.old-12-4");
  { RunFolder folder(run, RunStart::kResume, 0, "seed: 1\n", {}); }
  EXPECT_EQ(read_text_file(run / "best/step"), ".best.old-12-3");
  for (const auto& entry : fs::directory_iterator(run))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".best"));
}

TEST(RunFolder, AnExistingOutputIsRefused) {
  test::TempDir dir;
  const fs::path run = dir / "run", other = dir / "other";
  { RunFolder folder(run, RunStart::kNew, 0, "seed: 1\n", {}); }
  const Error e = error_of([&] { check_run_folder(run, RunStart::kNew); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_NE(e.parts().hint.find("--force"), std::string::npos);
  EXPECT_NE(e.parts().hint.find("--resume"), std::string::npos);
  EXPECT_NO_THROW(check_run_folder(run, RunStart::kReplace));
  fs::create_directories(other);
  test::write_text(other / "precious.txt", "mine");
  EXPECT_EQ(error_of([&] { check_run_folder(other, RunStart::kReplace); }).kind(), ErrorKind::kUsage);
  EXPECT_TRUE(fs::exists(other / "precious.txt"));
  test::write_text(dir / "file", "");
  EXPECT_EQ(error_of([&] { check_run_folder(dir / "file", RunStart::kResume); }).kind(), ErrorKind::kUsage);
}

Checkpoint toy_checkpoint(std::int64_t step) {
  Checkpoint c;
  c.progress = {.step = step, .epoch = 1, .position = 2, .seconds = 1.5, .best = .75, .best_step = 3};
  c.settings = {{"seed", "1"}};
  c.data_digest = "abc";
  c.model.graph = model::build_backbone({.name = "mbf", .input = 16, .embedding = 8});
  c.model.weights = model::initial_weights(c.model.graph, 1);
  c.model.contract.geometry = FaceGeometry::unknown(16, 16);
  c.model.contract.dimension = 8;
  const float rows[] = {1, 2, 3, 4, 5, 6};
  c.head.tensors[row_range("weight", 0, 2)] = model::WeightTensor::f32({2, 2}, rows);
  c.head.tensors[row_range("weight", 2, 3)] = model::WeightTensor::f32({1, 2}, rows + 4);
  c.optimizer.tensors["momentum/x"] = model::WeightTensor::f32({3}, rows);
  return c;
}

TEST(Checkpoint, ComesBackEqual) {
  test::TempDir dir;
  const fs::path folder = dir / "checkpoints/step-7";
  const Checkpoint c = toy_checkpoint(7);
  save_checkpoint(folder, c);
  const Checkpoint back = load_checkpoint(folder);
  EXPECT_EQ(back.progress.step, 7);
  EXPECT_EQ(back.progress.epoch, 1);
  EXPECT_EQ(back.progress.position, 2);
  EXPECT_EQ(back.progress.best, .75);
  EXPECT_EQ(back.settings, c.settings);
  EXPECT_EQ(back.data_digest, "abc");
  EXPECT_EQ(model::weights_hash(back.model.graph, back.model.weights),
            model::weights_hash(c.model.graph, c.model.weights));
  EXPECT_EQ(join_rows(back.head, "weight", 3, 2, "").as_double(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(back.optimizer.tensors.at("momentum/x").as_double(), (std::vector<double>{1, 2, 3}));
}

TEST(Checkpoint, RowsMissingOrMisfittingAreRefused) {
  Checkpoint c = toy_checkpoint(1);
  EXPECT_EQ(error_of([&] { join_rows(c.head, "weight", 4, 2, "f"); }).kind(), ErrorKind::kData);
  EXPECT_EQ(error_of([&] { join_rows(c.head, "weight", 3, 5, "f"); }).kind(), ErrorKind::kData);
  c.head.tensors.erase(row_range("weight", 0, 2));
  EXPECT_EQ(error_of([&] { join_rows(c.head, "weight", 3, 2, "f"); }).kind(), ErrorKind::kData);
}

TEST(Checkpoint, AnAlteredFileIsNamed) {
  test::TempDir dir;
  const fs::path folder = dir / "checkpoints/step-7";
  save_checkpoint(folder, toy_checkpoint(7));
  for (const char* name : {"model.safetensors", "head.safetensors", "optimizer.safetensors"}) {
    const std::string whole = read_text_file(folder / name);
    std::string bad = whole;
    bad.back() = static_cast<char>(bad.back() ^ 1);
    test::write_text(folder / name, bad);
    const Error e = error_of([&] { load_checkpoint(folder); });
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    EXPECT_NE(e.parts().where.find(name), std::string::npos);
    test::write_text(folder / name, whole);
  }
  test::write_text(folder / "state.json", "{\"format\":\"likeness.checkpoint/1\"}");
  EXPECT_EQ(error_of([&] { load_checkpoint(folder); }).kind(), ErrorKind::kData);
}

TEST(Checkpoint, WeightsThatAreNotFiniteAreNotSaved) {
  test::TempDir dir;
  Checkpoint c = toy_checkpoint(9);
  save_checkpoint(dir / "checkpoints/step-8", toy_checkpoint(8));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  c.head.tensors[row_range("weight", 2, 3)] = model::WeightTensor::f32({1, 1}, &nan);
  const Error e = error_of([&] { save_checkpoint(dir / "checkpoints/step-9", c); });
  EXPECT_NE(e.parts().where.find("head.safetensors"), std::string::npos);
  EXPECT_EQ(newest_checkpoint(dir.path())->filename(), "step-8");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "checkpoints"), {}), 1);
}

// Two ranks as threads. A rank that waits for one that does not come throws.
class TwoRanks {
 public:
  SavingRanks of(int rank) {
    return {.rank = rank,
            .size = 2,
            .all = [this](bool mine) { return meet(mine, nullptr); },
            .from_rank_0 =
                [this, rank](const std::string& text) {
                  meet(true, rank == 0 ? &text : nullptr);
                  const std::lock_guard lock(mutex_);
                  return text_;
                }};
  }

 private:
  bool meet(bool mine, const std::string* text) {
    std::unique_lock lock(mutex_);
    if (text) text_ = *text;
    agreed_ = (here_ == 0 || agreed_) && mine;
    const int meeting = meetings_;
    if (++here_ == 2) {
      here_ = 0, ++meetings_, result_ = agreed_;
      changed_.notify_all();
    } else if (!changed_.wait_for(lock, std::chrono::seconds(5), [&] { return meetings_ != meeting; })) {
      throw std::logic_error("the other rank did not come");
    }
    return result_;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  int here_ = 0, meetings_ = 0;
  bool agreed_ = true, result_ = true;
};

TEST(Checkpoint, ARankThatCannotWriteItsPartStopsBothAtOnce) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int broken : {-1, 0, 1}) {
    test::TempDir dir;
    TwoRanks ranks;
    std::array<std::string, 2> said;
    const auto save = [&](int rank) {
      Checkpoint c = toy_checkpoint(9);
      if (rank == broken) c.head.tensors[row_range("weight", 2, 3)] = model::WeightTensor::f32({1, 1}, &nan);
      try {
        save_checkpoint(dir / "checkpoints/step-9", c, ranks.of(rank));
      } catch (const std::exception& e) {
        said[static_cast<std::size_t>(rank)] = e.what();
      }
    };
    std::thread other(save, 1);
    save(0);
    other.join();
    for (const int rank : {0, 1}) {
      const std::string& text = said[static_cast<std::size_t>(rank)];
      if (broken < 0)
        EXPECT_EQ(text, "");
      else
        EXPECT_NE(text.find(rank == broken ? "no longer finite" : "another rank"), std::string::npos) << text;
    }
    EXPECT_EQ(newest_checkpoint(dir.path()).has_value(), broken < 0);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / "checkpoints"), {}), broken < 0 ? 1 : 0);
  }
}

TEST(Checkpoint, TheNewestIsFoundByNumberAndTheOldArePruned) {
  test::TempDir dir;
  EXPECT_FALSE(newest_checkpoint(dir.path()));
  for (std::int64_t step : {9, 10, 100, 2}) fs::create_directories(dir / ("checkpoints/step-" + std::to_string(step)));
  fs::create_directories(dir / "checkpoints/.step-101.partial-1-0");  // a save that was killed
  EXPECT_EQ(newest_checkpoint(dir.path())->filename(), "step-100");
  prune_checkpoints(dir.path(), 2);
  EXPECT_TRUE(fs::exists(dir / "checkpoints/step-10"));
  EXPECT_FALSE(fs::exists(dir / "checkpoints/step-9"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "checkpoints"), {}), 2);
}

}  // namespace
}  // namespace likeness::train
