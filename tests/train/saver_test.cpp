// Saving beside the training: steps go on, the bytes are those of a save that is waited for, and ranks stay of one
// mind.
#include "train/saver.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>

#include "core/error.h"
#include "core/progress.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"
#include "tests/train/ranks.h"
#include "tests/train/toy_set.h"
#include "train/joining.h"
#include "train/session.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::error_of;
using test::read_text_file;

// A door that a writer waits at until a test opens it; false if that never happens.
class Door {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool pass() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

WriteCheckpoint behind(Door& door, std::atomic<int>* written) {
  return [&door, written](const fs::path&, const Checkpoint&, const SavingRanks&) {
    if (!door.pass()) fail_environment({.what = "nobody opened", .where = "test"});
    ++*written;
  };
}

TEST(Saver, TheStepDoesNotWaitAndTheNextSaveDoes) {
  Door door;
  std::atomic<int> written = 0;
  Saver saver({}, behind(door, &written));
  saver.buffer().progress.step = 1;
  saver.start("a");
  for (int i = 0; i < 100; ++i) saver.between_steps();
  EXPECT_TRUE(saver.busy());
  EXPECT_EQ(written, 0);
  door.open();
  saver.buffer();  // waits
  EXPECT_EQ(written, 1);
  EXPECT_FALSE(saver.busy());
  saver.start("b");
  saver.wait();
  EXPECT_EQ(written, 2);
}

TEST(Saver, AFailureShowsBetweenStepsOnce) {
  Door door;
  Saver saver({}, [&](const fs::path&, const Checkpoint&, const SavingRanks&) {
    door.pass();
    fail_environment({.what = "disk is full", .where = "there"});
  });
  saver.buffer();
  saver.start("a");
  for (int i = 0; i < 100; ++i) saver.between_steps();
  door.open();
  const Error e = error_of([&] {
    for (int i = 0; i < 20000; ++i, std::this_thread::sleep_for(1ms)) saver.between_steps();
  });
  EXPECT_EQ(e.parts().what, "disk is full");
  saver.between_steps();
  saver.wait();
}

// The end of a run that failed for another reason is no reason to lose a checkpoint.
TEST(Saver, ItsEndWaitsForASaveUnderWay) {
  Door door;
  std::atomic<int> written = 0;
  std::thread opener;
  {
    Saver saver({}, behind(door, &written));
    saver.start("a");
    opener = std::thread([&] { door.open(); });
  }
  opener.join();
  EXPECT_EQ(written, 1);
}

TEST(Saver, MemoryIsUsedAgain) {
  std::atomic<int> written = 0;
  Door door;
  door.open();
  Saver saver({}, behind(door, &written));
  saver.buffer().head.tensors["weight[0:1]"].data.resize(100);
  const std::byte* memory = saver.buffer().head.tensors["weight[0:1]"].data.data();
  saver.start("a");
  EXPECT_EQ(saver.buffer().head.tensors["weight[0:1]"].data.data(), memory);
}

model::WeightTensor rows(std::int64_t n, float value) {
  const std::vector<float> values(static_cast<std::size_t>(2 * n), value);
  return model::WeightTensor::f32({n, 2}, values.data());
}

// A checkpoint of two ranks, whose rows are given.
void fill(Checkpoint* c, int rank, float value) {
  c->progress.step = 7;
  c->model.graph = model::build_backbone({.name = "mbf", .input = 16, .embedding = 2});
  c->model.weights = model::initial_weights(c->model.graph, 1);
  c->model.contract.dimension = 2;
  c->model.contract.geometry = FaceGeometry::unknown(16, 16);
  c->head.tensors[row_range("weight", rank, rank + 1)] = rows(1, value);
  c->optimizer.tensors[row_range("momentum/head", rank, rank + 1)] = rows(1, value);
}

// What a step does with the group must not come between what a save asks.
void steps(Group& group, Saver& saver, int count) {
  for (int i = 0; i < count; ++i) {
    at::Tensor sum = at::ones({10});
    group.all_reduce_sum(sum);
    EXPECT_EQ(sum.sum().item<float>(), 10.f * static_cast<float>(group.size()));
    saver.between_steps();
  }
}

TEST(Saver, RanksSaveOneCheckpointWhileTheyStep) {
  const test::TempDir dir;
  test::on_ranks(3, [&](Group& group) {
    Saver saver(saving_ranks(group), [&](const fs::path& folder, const Checkpoint& c, const SavingRanks& ranks) {
      std::this_thread::sleep_for(group.rank() * 30ms);  // no rank is as fast as another
      save_checkpoint(folder, c, ranks);
    });
    fill(&saver.buffer(), group.rank(), 1.f + static_cast<float>(group.rank()));
    saver.start(dir / "checkpoints/step-7");
    steps(group, saver, 50);
    saver.wait();
    const Checkpoint c = load_checkpoint(dir / "checkpoints/step-7");
    const auto head = join_rows(c.head, "weight", 3, 2, "test").as_double();
    EXPECT_EQ(head, (std::vector<double>{1, 1, 2, 2, 3, 3}));
    group.barrier();
  });
}

TEST(Saver, WhatFailsOnOneRankFailsOnAllAndLeavesNothing) {
  for (const int odd : {0, 1}) {
    const test::TempDir dir;
    std::atomic<int> own = 0, others = 0;
    test::on_ranks(3, [&](Group& group) {
      Saver saver(saving_ranks(group));
      // What cannot be saved: numbers that are none.
      const float value = group.rank() == odd ? std::numeric_limits<float>::quiet_NaN() : 1.f;
      fill(&saver.buffer(), group.rank(), value);
      saver.start(dir / "checkpoints/step-7");
      const Error e = error_of([&] { steps(group, saver, 1000), saver.wait(); });
      const bool says_why = e.parts().what.find("no longer finite") != std::string::npos;
      EXPECT_EQ(says_why, group.rank() == odd) << e.what();
      ++(says_why ? own : others);
      group.barrier();
    });
    EXPECT_EQ(own, 1);
    EXPECT_EQ(others, 2);
    EXPECT_TRUE(fs::is_empty(dir / "checkpoints"));
  }
}

class SavingRuns : public testing::Test {
 protected:
  SavingRuns() {
    set_progress_quiet(true);
    data_ = test::make_toy_set(dir_ / "faces");
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(data_, 9));
  }
  TrainRequest request(const std::string& out, std::vector<std::string> assignments) {
    assignments.insert(assignments.end(), {"checkpoint_every=3", "keep=10", "log_every=1"});
    return {.config = dir_ / "toy.yaml",
            .assignments = std::move(assignments),
            .out = dir_ / out,
            .threads = 1,
            .device = "cpu",
            .command = "test"};
  }

  test::TempDir dir_;
  fs::path data_;
};

// Steps are counted by validating after each of them.
TEST_F(SavingRuns, StepsGoOnWhileSavingAndTheBytesAreTheSame) {
  run_training(request("waits", {"checkpoint_async=false"}), {});
  Door fifth;
  int judged = 0;
  const JudgeMaker clock = [&](const std::string&) {
    return [&](engine::Engine& network) {
      if (network.name() != "noise" && ++judged == 5) fifth.open();
      return Metrics{};
    };
  };
  TrainRequest slow = request("goes on", {"validate=[none]", "validate_every=1"});
  slow.write_checkpoint = [&](const fs::path& folder, const Checkpoint& c, const SavingRanks& ranks) {
    // The first checkpoint, of step 3, is written only after step 5.
    if (!fifth.pass()) fail_environment({.what = "the steps wait for the save", .where = "test"});
    save_checkpoint(folder, c, ranks);
  };
  run_training(slow, clock);
  EXPECT_EQ(judged, 9);
  for (int step : {3, 6, 9})
    for (const char* file : {"model.safetensors", "head.safetensors", "optimizer.safetensors"})
      EXPECT_TRUE(read_text_file(checkpoint_folder(dir_ / "waits", step) / file) ==
                  read_text_file(checkpoint_folder(dir_ / "goes on", step) / file))
          << step << " " << file;
}

TEST_F(SavingRuns, ADiskThatFillsUpStopsTheRunAndSparesTheOldCheckpoint) {
  TrainRequest full = request("run", {});
  full.write_checkpoint = [](const fs::path& folder, const Checkpoint& c, const SavingRanks& ranks) {
    if (c.progress.step > 3) fail_environment({.what = "disk is full", .where = folder.string()});
    save_checkpoint(folder, c, ranks);
  };
  const Error e = error_of([&] { run_training(full, {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment);
  EXPECT_EQ(e.parts().what, "disk is full");
  EXPECT_EQ(newest_checkpoint(dir_ / "run")->filename(), "step-3");
  EXPECT_EQ(load_checkpoint(*newest_checkpoint(dir_ / "run")).progress.step, 3);
  EXPECT_FALSE(fs::exists(dir_ / "run/DONE"));
}

}  // namespace
}  // namespace likeness::train
