// Runs of a toy that are killed at random moments, in processes forked from this one: it must have no other threads and
// must not have computed anything with Torch itself.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "core/progress.h"
#include "core/rng.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/session.h"

namespace likeness::train {

class Kills : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;
  static constexpr int kSteps = 24;

  Kills() {
    set_progress_quiet(true);
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(test::make_toy_set(dir_ / "faces"), kSteps));
  }

  // Until `wanted` processes were killed, at least half of them while a checkpoint was being written, and the run that
  // the last one belonged to has ended. After each kill the newest checkpoint must be whole; each run that comes to its
  // end must have the bytes of one that nobody killed.
  void kill(int wanted) {
    ASSERT_EQ(ended(start("whole")), 0) << said();
    int kills = 0, saving = 0, runs = 0, attempts = 0;
    for (bool finished = false; !finished || kills < wanted || 2 * saving < wanted; ++attempts) {
      ASSERT_LT(attempts, 20 * wanted) << kills << " kills, " << saving << " while saving";
      if (finished) ++runs;
      finished = false;
      const std::string out = "killed" + std::to_string(runs);
      const std::set<std::string> before = unfinished(out);
      const pid_t child = start(out);
      if (kills < wanted || 2 * saving < wanted) wait_for_a_moment(child, out, before, 2 * saving <= kills, attempts);
      const int code = ended(child);
      if (code == 0) {
        expect_the_same(out);
        finished = true;
        continue;
      }
      ASSERT_EQ(code, 128 + SIGKILL) << said();
      ++kills;
      for (const std::string& name : unfinished(out))
        if (before.count(name) == 0) {
          ++saving;
          break;
        }
      if (const auto newest = newest_checkpoint(dir_ / out)) {
        ASSERT_NO_THROW(load_checkpoint(*newest)) << *newest;
      }
    }
    std::printf("%d kills, %d of them while saving; %d runs came to their end\n", kills, saving, runs + 1);
  }

 private:
  pid_t start(const std::string& out) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    int code = 70;
    if (std::freopen((dir_ / "said").c_str(), "w", stderr) == nullptr) ::_exit(code);
    try {
      run_training({.config = dir_ / "toy.yaml",
                    .assignments = {"checkpoint_every=2", "keep=2"},
                    .out = dir_ / out,
                    .start = RunStart::kResume,
                    .threads = 1,
                    .device = "cpu",
                    .command = "test"},
                   {});
      code = 0;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    std::fflush(stderr);
    ::_exit(code);
  }

  // Kills `child` somewhere in its life, or soon after it has begun to write a checkpoint. It may have ended by then.
  void wait_for_a_moment(pid_t child, const std::string& out, const std::set<std::string>& before, bool while_saving,
                         int attempt) {
    using namespace std::chrono_literals;
    Rng rng(11, Purpose::kTest, 0, static_cast<std::uint64_t>(attempt));
    const auto pause = [&rng](std::uint64_t longest) { std::this_thread::sleep_for(rng.below(longest) * 1us); };
    const auto begin = Clock::now();
    pause(while_saving ? 400'000 : 800'000);
    while (while_saving && unfinished(out) == before &&
           ::waitid(P_PID, static_cast<id_t>(child), &state_, kPeek) == 0 && state_.si_pid == 0 &&
           Clock::now() - begin < 20s)
      std::this_thread::sleep_for(200us);
    if (while_saving) pause(10'000);
    ::kill(child, SIGKILL);
  }

  static int ended(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  std::string said() const { return test::read_text_file(dir_ / "said"); }

  // What saves under way, or killed, have left.
  std::set<std::string> unfinished(const std::string& out) const {
    std::set<std::string> names;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / out / "checkpoints", gone))
      if (const std::string name = entry.path().filename().string(); name.starts_with(".step-")) names.insert(name);
    return names;
  }

  void expect_the_same(const std::string& out) const {
    const auto a = newest_checkpoint(dir_ / "whole"), b = newest_checkpoint(dir_ / out);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(b->filename(), "step-" + std::to_string(kSteps));
    for (const char* file : {"model.safetensors", "head.safetensors", "optimizer.safetensors"})
      EXPECT_TRUE(test::read_text_file(*a / file) == test::read_text_file(*b / file)) << out << " " << file;
    EXPECT_TRUE(unfinished(out).empty()) << "left behind in " << out;
    EXPECT_TRUE(std::filesystem::exists(dir_ / out / "DONE"));
  }

  static constexpr int kPeek = WEXITED | WNOHANG | WNOWAIT;
  siginfo_t state_ = {};
  test::TempDir dir_;
};

}  // namespace likeness::train
