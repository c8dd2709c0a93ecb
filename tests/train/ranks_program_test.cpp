// Training on several ranks as a user starts it: one run folder, checkpoints for any number of ranks, lost ranks.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::ProcessOptions;
using test::ProcessResult;

class RanksTest : public testing::Test {
 protected:
  RanksTest() { data_ = test::make_toy_set(dir_ / "faces", 7, 6); }

  ProcessResult train(const std::string& out, int batch, int steps, std::vector<std::string> args = {},
                      ProcessOptions options = {}) {
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(data_, steps));
    args.insert(args.begin(), {"toy.yaml", "--out", out, "--threads", "1", "--set", "batch=" + std::to_string(batch)});
    options.cwd = dir_.path();
    return test::run_process("likeness-train", args, options);
  }
  Checkpoint newest(const std::string& out) const { return load_checkpoint(*newest_checkpoint(dir_ / out)); }

  test::TempDir dir_;
  fs::path data_;
};

TEST_F(RanksTest, TwoRanksLeaveOneRun) {
  const ProcessResult r = train("run", 6, 4, {"--ranks", "2", "--json", "--profile", "2", "--set", "validate=[faces]"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto json = nlohmann::json::parse(r.out);  // one object, not two
  EXPECT_EQ(json.at("step"), 4);
  for (const auto& [rank, file] : {std::pair{0, "trace.json"}, {1, "trace-1.json"}}) {
    const auto trace = nlohmann::json::parse(test::read_text_file(dir_ / "run" / file));
    std::map<std::string, int> count;
    for (const auto& e : trace.at("traceEvents")) {
      EXPECT_EQ(e.at("pid"), rank);
      ++count[e.at("name")];
    }
    EXPECT_EQ(count["step"], 2);
    EXPECT_GT(count["all-gather"], 0) << "what the ranks say to each other has spans of its own";
  }
  for (const char* file : {"config.yaml", "provenance.json", "log.csv", "log.jsonl", "DONE"})
    EXPECT_TRUE(fs::exists(dir_ / "run" / file)) << file;
  EXPECT_NE(test::read_text_file(dir_ / "run/log.jsonl").find("\"kind\":\"validation\""), std::string::npos);
  EXPECT_TRUE(fs::exists(dir_ / "run/best/model.safetensors"));
  const Checkpoint c = newest("run");
  EXPECT_EQ(c.progress.step, 4);
  EXPECT_EQ(join_rows(c.head, "weight", 7, 16, "test").shape, (std::vector<std::int64_t>{7, 16}));
  EXPECT_EQ(join_rows(c.optimizer, "momentum/head", 7, 16, "test").shape, (std::vector<std::int64_t>{7, 16}));
  // The same again is the same bytes.
  ASSERT_EQ(train("again", 6, 4, {"--ranks", "2"}).exit_code, 0);
  const Checkpoint again = newest("again");
  for (const auto& [name, tensor] : c.head.tensors)
    EXPECT_TRUE(tensor.data == again.head.tensors.at(name).data) << name;
  for (const auto& [name, tensor] : c.model.weights.tensors)
    EXPECT_TRUE(tensor.data == again.model.weights.tensors.at(name).data) << name;
}

// Twelve pictures a step by 3, 2 or 1 ranks: what one number saved, another goes on from, head and momentum and all.
TEST_F(RanksTest, ACheckpointGoesOnWithAnotherNumberOfRanks) {
  ASSERT_EQ(train("run", 4, 3, {"--ranks", "3"}).exit_code, 0);
  const Checkpoint three = newest("run");
  fs::remove(dir_ / "run/DONE");
  for (const auto& [ranks, batch] : {std::pair{"2", 6}, std::pair{"1", 12}}) {
    const ProcessResult r = train("run", batch, 3, {"--ranks", ranks, "--resume"});
    ASSERT_EQ(r.exit_code, 0) << r.err;
    EXPECT_NE(r.err.find("resuming"), std::string::npos) << r.err;
    fs::remove(dir_ / "run/DONE");
    // Nothing was left to do, so nothing may have changed.
    const Checkpoint same = newest("run");
    EXPECT_EQ(same.progress.step, 3);
    EXPECT_TRUE(join_rows(same.head, "weight", 7, 16, "t").data == join_rows(three.head, "weight", 7, 16, "t").data);
    EXPECT_TRUE(join_rows(same.optimizer, "momentum/head", 7, 16, "t").data ==
                join_rows(three.optimizer, "momentum/head", 7, 16, "t").data);
  }
}

// The largest difference of two tensors, over the largest number of the second.
double difference(const model::WeightTensor& a, const model::WeightTensor& b) {
  const std::vector<double> x = a.as_double(), y = b.as_double();
  EXPECT_EQ(x.size(), y.size());
  double distance = 0, largest = 0;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    distance = std::max(distance, std::abs(x[i] - y[i]));
    largest = std::max(largest, std::abs(y[i]));
  }
  return largest > 0 ? distance / largest : distance;
}

void expect_alike(const Checkpoint& a, const Checkpoint& b, double tolerance) {
  EXPECT_EQ(a.progress.step, b.progress.step);
  EXPECT_EQ(a.progress.position, b.progress.position);
  EXPECT_NEAR(a.progress.loss, b.progress.loss, 1e-6 * b.progress.loss);
  const auto rows = [](const model::Weights& w, const char* name) { return join_rows(w, name, 7, 16, "test"); };
  EXPECT_LE(difference(rows(a.head, "weight"), rows(b.head, "weight")), tolerance);
  EXPECT_LE(difference(rows(a.optimizer, "momentum/head"), rows(b.optimizer, "momentum/head")), tolerance);
  for (const auto& [name, tensor] : b.optimizer.tensors)
    if (!name.starts_with("momentum/head")) {
      EXPECT_LE(difference(a.optimizer.tensors.at(name), tensor), tolerance) << name;
    }
  for (const auto& [name, tensor] : b.model.weights.tensors)
    EXPECT_LE(difference(a.model.weights.tensors.at(name), tensor), tolerance) << name;
}

// Twelve pictures a step by four ranks, saved in the middle of an epoch; three ranks and one go on from there, and take
// the step that the four took: with frozen batch norm, which does not depend on who has which picture. (Nor does a
// synchronised one, up to rounding, which a toy's few pictures enlarge in f32: norm_ranks_test.cpp has it in f64.)
TEST_F(RanksTest, FourRanksSaveAndThreeOrOneTakeTheSameNextStep) {
  const auto run = [&](const std::string& out, int batch, const char* ranks, std::vector<std::string> args) {
    args.insert(args.end(), {"--ranks", ranks, "--set", "checkpoint_every=1", "--set", "keep=10", "--set",
                             "log_every=1", "--set", "batch_norm=frozen"});
    const ProcessResult r = train(out, batch, 5, args);
    ASSERT_EQ(r.exit_code, 0) << r.err;
  };
  run("four", 3, "4", {});
  const Checkpoint end = newest("four");
  for (const auto& [ranks, batch] : {std::pair{"3", 4}, std::pair{"1", 12}}) {
    SCOPED_TRACE(std::string(ranks) + " ranks");
    const std::string out = std::string("four then ") + ranks;
    fs::copy(dir_ / "four", dir_ / out, fs::copy_options::recursive);
    fs::remove_all(dir_ / out / "checkpoints/step-5");
    fs::remove(dir_ / out / "DONE");
    expect_alike(newest(out), load_checkpoint(checkpoint_folder(dir_ / "four", 4)), 0);
    run(out, batch, ranks, {"--resume"});
    expect_alike(newest(out), end, 1e-6);
  }
}

TEST_F(RanksTest, ASignalEndsAllRanksWithACheckpoint) {
  ProcessOptions options;
  options.signal = SIGTERM;
  options.signal_after = std::chrono::seconds(5);
  const ProcessResult r = train("run", 6, 100000, {"--ranks", "2"}, options);
  EXPECT_EQ(r.exit_code, 143) << r.err;
  ASSERT_TRUE(newest_checkpoint(dir_ / "run"));
  EXPECT_GT(newest("run").progress.step, 0);
}

TEST_F(RanksTest, AMistakeOfTheUsersEndsAllRanksAtOnce) {
  const ProcessResult r = train("run", 6, 4, {"--ranks", "2", "--set", "bacth=3"});
  EXPECT_EQ(r.exit_code, 2) << r.err;
  EXPECT_NE(r.err.find("batch"), std::string::npos);
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

}  // namespace
}  // namespace likeness::train
