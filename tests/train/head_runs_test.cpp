// Runs with the head's less common choices: stopped after a step and resumed they end with the same bytes.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/progress.h"
#include "core/signals.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"
#include "train/session.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::read_text_file;

class HeadRuns : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  HeadRuns() {
    set_progress_quiet(true);
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(test::make_toy_set(dir_ / "faces"), 7));
  }
  ~HeadRuns() override { set_stop_signal(0); }
  TrainOutcome run(const std::string& out, RunStart start) {
    return run_training({.config = dir_ / "toy.yaml",
                         .assignments = GetParam(),
                         .out = dir_ / out,
                         .start = start,
                         .threads = 1,
                         .device = "cpu",
                         .command = "test"},
                        {});
  }
  fs::path last(const std::string& out) const { return *newest_checkpoint(dir_ / out); }

  test::TempDir dir_;
};

TEST_P(HeadRuns, StoppedAndResumedTheyEndWithTheSameBytes) {
  run("whole", RunStart::kNew);
  set_stop_signal(2);  // stops after the first step
  EXPECT_THROW(run("stopped", RunStart::kNew), Interrupted);
  set_stop_signal(0);
  EXPECT_EQ(run("stopped", RunStart::kResume).resumed_from, 1);
  for (const char* file : {"model.safetensors", "head.safetensors", "optimizer.safetensors"})
    EXPECT_TRUE(read_text_file(last("whole") / file) == read_text_file(last("stopped") / file)) << file;
  if (GetParam()[0] != "head.loss=uniface") return;
  const Checkpoint c = load_checkpoint(last("whole"));
  const double bias = c.head.at("bias").as_double().at(0);
  EXPECT_NE(bias, -std::log(40));  // of four people
  EXPECT_NEAR(bias, -std::log(40), 1);
  EXPECT_NE(c.optimizer.at("momentum/head_bias").as_double().at(0), 0);
  EXPECT_NE(c.optimizer.at("second/head_bias").as_double().at(0), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Head, HeadRuns,
    testing::Values(std::vector<std::string>{"head.loss=uniface", "optimizer.kind=adamw"},
                    std::vector<std::string>{"head.loss=sphereface2", "head.gradient=straight_through", "accumulate=2"},
                    std::vector<std::string>{"head.precision=bf16", "head.sub_centers=2"},
                    std::vector<std::string>{"triplet.weight=1", "sampler.pictures_per_identity=2"}));

}  // namespace
}  // namespace likeness::train
