// Whole runs of a toy in this process, and a look at what they leave behind.
#pragma once

#include <gtest/gtest.h>

#include "core/progress.h"
#include "core/signals.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"
#include "train/session.h"

namespace likeness::test {

class ToyRuns : public testing::Test {
 protected:
  ToyRuns() {
    set_progress_quiet(true);
    data_ = make_toy_set(dir_ / "faces");
  }
  ~ToyRuns() override { set_stop_signal(0); }

  train::TrainRequest request(const std::string& out, int steps, std::vector<std::string> assignments = {},
                              train::RunStart start = train::RunStart::kNew) {
    write_text(dir_ / "toy.yaml", toy_recipe(data_, steps));
    return {.config = dir_ / "toy.yaml",
            .assignments = std::move(assignments),
            .out = dir_ / out,
            .start = start,
            .threads = 1,
            .device = "cpu",
            .command = "test"};
  }
  std::filesystem::path last(const std::string& out) const { return *train::newest_checkpoint(dir_ / out); }
  // The newest checkpoints of both runs are the same bytes, whatever files they have.
  void expect_same_end(const std::string& a, const std::string& b) const {
    EXPECT_EQ(last(a).filename(), last(b).filename());
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(last(a))) {
      const std::string file = entry.path().filename().string();
      if (file == "state.json") continue;  // holds seconds
      ++files;
      EXPECT_TRUE(read_text_file(last(a) / file) == read_text_file(last(b) / file)) << a << " " << b << " " << file;
    }
    EXPECT_GE(files, 3);
  }
  // Stopped by a signal after step `stop` + 1, and resumed to the end.
  void stop_and_resume(const std::string& out, int steps, int stop, const std::vector<std::string>& assignments) {
    std::vector<std::string> stopping = assignments;
    stopping.push_back("validate=[none]");
    stopping.push_back("validate_every=" + std::to_string(stop));
    // The signal arrives while step `stop` is being judged; the step after it is the last.
    int validations = 0;
    const train::JudgeMaker interrupt = [&](const std::string&) {
      return [&](engine::Engine& network) {
        if (network.name() != "noise" && ++validations == 1) set_stop_signal(2);
        return train::Metrics{};
      };
    };
    EXPECT_THROW(train::run_training(request(out, steps, stopping), interrupt), Interrupted);
    set_stop_signal(0);
    EXPECT_EQ(last(out).filename(), "step-" + std::to_string(stop + 1));
    EXPECT_FALSE(std::filesystem::exists(dir_ / out / "DONE"));
    const train::TrainOutcome end = train::run_training(request(out, steps, assignments, train::RunStart::kResume), {});
    EXPECT_EQ(end.resumed_from, stop + 1);
    EXPECT_TRUE(std::filesystem::exists(dir_ / out / "DONE"));
  }

  TempDir dir_;
  std::filesystem::path data_;
};

}  // namespace likeness::test
