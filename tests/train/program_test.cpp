// The program as a user runs it: killed, interrupted, misused.
#include <gtest/gtest.h>

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
using test::read_text_file;

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    data_ = test::make_toy_set(dir_ / "faces");
    write_recipe(10);
  }
  void write_recipe(int steps, const std::string& more = "") {
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(data_, steps) + more);
  }

  ProcessResult train(std::vector<std::string> args, ProcessOptions options = {}) {
    args.insert(args.begin(), "toy.yaml");
    args.insert(args.end(), {"--threads", "1"});
    options.cwd = dir_.path();
    return test::run_process("likeness-train", args, options);
  }
  // Ten folds, each with one pair of the same person and one of two people.
  static std::string pairs_csv() {
    std::string csv = "a,b,label,fold\n";
    for (int fold = 0; fold < 10; ++fold) {
      const std::string person = test::person_name(fold % 4), other = test::person_name((fold + 1) % 4);
      const std::string a = std::to_string(fold % 5), b = std::to_string((fold + 1 + fold / 5) % 5);
      csv += person + "/" + a + ".jpg," + person + "/" + b + ".jpg,1," + std::to_string(fold) + "\n";
      csv += person + "/" + a + ".jpg," + other + "/" + b + ".jpg,0," + std::to_string(fold) + "\n";
    }
    return csv;
  }
  void refused(const ProcessResult& r, int code, const std::string& word) {
    EXPECT_EQ(r.exit_code, code) << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << r.err;
  }

  test::TempDir dir_;
  fs::path data_;
};

TEST_F(ProgramTest, KilledAtAnyMomentAndResumedItEndsWithTheSameBytes) {
  write_recipe(60, "checkpoint_every: 3\nkeep: 2\n");
  ASSERT_EQ(train({"--out", "whole"}).exit_code, 0);
  int kills = 0;
  ProcessResult r;
  for (int attempt = 0; attempt < 60; ++attempt) {
    ProcessOptions options;
    options.signal = SIGKILL;
    options.signal_after =
        std::chrono::milliseconds(500 + 317 * attempt % 701 + 40 * attempt);  // mostly in the middle of steps and saves
    r = train({"--out", "killed", "--resume"}, options);
    if (r.exit_code == 0) break;
    EXPECT_EQ(r.exit_code, 128 + SIGKILL) << r.err;
    ++kills;
  }
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_GE(kills, 1);
  const fs::path a = *newest_checkpoint(dir_ / "whole"), b = *newest_checkpoint(dir_ / "killed");
  EXPECT_EQ(a.filename(), "step-60");
  for (const char* file : {"model.safetensors", "head.safetensors", "optimizer.safetensors"})
    EXPECT_TRUE(read_text_file(a / file) == read_text_file(b / file)) << file;
  for (const auto& entry : fs::directory_iterator(dir_ / "killed/checkpoints"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << "left behind: " << entry.path();
}

TEST_F(ProgramTest, ASignalEndsWithACheckpointAndItsOwnExitCode) {
  write_recipe(100000);
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    ProcessOptions options;
    options.signal = signal;
    options.signal_after = std::chrono::seconds(4);
    const std::string out = "run" + std::to_string(signal);
    EXPECT_EQ(train({"--out", out}, options).exit_code, code);
    ASSERT_TRUE(newest_checkpoint(dir_ / out));
    EXPECT_GT(load_checkpoint(*newest_checkpoint(dir_ / out)).progress.step, 0);
    EXPECT_FALSE(fs::exists(dir_ / out / "DONE"));
  }
}

TEST_F(ProgramTest, JsonIsOneObjectAndTheShortFormIsRun) {
  const ProcessResult r = train({"--out", "run", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto json = nlohmann::json::parse(r.out);
  EXPECT_EQ(json.at("step"), 10);
  EXPECT_TRUE(json.at("best").is_null());
  ProcessOptions options;
  options.cwd = dir_.path();
  EXPECT_EQ(
      test::run_process("likeness-train", {"run", "toy.yaml", "--out", "other", "--set", "steps=1"}, options).exit_code,
      0);
  for (const char* file : {"config.yaml", "provenance.json", "log.csv", "log.jsonl", "DONE"})
    EXPECT_TRUE(fs::exists(dir_ / "run" / file)) << file;
}

// Complete events of one thread, by begin: each lies within the one before it that has not ended, or after it.
void expect_nested(const std::vector<nlohmann::json>& events) {
  constexpr double kRounding = 1e-3;  // doubles of 15 digits, microseconds of the steady clock
  std::vector<double> ends;
  for (const auto& e : events) {
    const double begin = e.at("ts"), end = begin + e.at("dur").get<double>();
    while (!ends.empty() && ends.back() <= begin + kRounding) ends.pop_back();
    if (!ends.empty()) {
      EXPECT_LE(end, ends.back() + kRounding) << e;
    }
    ends.push_back(end);
  }
}

TEST_F(ProgramTest, AProfileIsAChromeTraceOfSoManySteps) {
  const ProcessResult r =
      train({"--out", "run", "--profile", "4", "--json", "--set", "checkpoint_every=5", "--set", "workers=2"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto summary = nlohmann::json::parse(r.out).at("profile");
  EXPECT_EQ(summary.at("steps"), 4);
  EXPECT_GT(summary.at("phases").at("backward").get<double>(), 0);
  const auto trace = nlohmann::json::parse(read_text_file(dir_ / "run/trace.json"));
  std::map<int, std::string> threads;
  std::map<std::string, std::vector<nlohmann::json>> events;  // by thread
  for (const auto& e : trace.at("traceEvents")) {
    if (e.at("name") == "thread_name") threads[e.at("tid")] = e.at("args").at("name");
    if (e.at("ph") == "X") events[threads.at(e.at("tid"))].push_back(e);
  }
  std::vector<int> steps;
  std::map<std::string, int> count;
  for (const auto& e : events.at("training")) {
    ++count[e.at("name")];
    if (e.at("name") == "step") steps.push_back(e.at("args").at("number"));
  }
  EXPECT_EQ(steps, (std::vector<int>{4, 5, 6, 7}));
  for (const char* phase :
       {"wait for loader", "normalise", "forward", "head", "backward", "all-reduce", "clip", "optimizer"})
    EXPECT_EQ(count[phase], 4) << phase;
  EXPECT_EQ(count["log"], 3);  // steps 4 and 6, and before the checkpoint of step 5
  EXPECT_EQ(count["checkpoint"], 1);
  EXPECT_TRUE(events.contains("loader 0") || events.contains("loader 1"));
  for (const auto& [thread, list] : events) expect_nested(list);
  refused(train({"--out", "x", "--profile", "0"}), 2, "--profile");
  refused(train({"--out", "x", "--profile", "1001"}), 2, "--profile");
}

TEST_F(ProgramTest, ValidationWhileTrainingJudgesEveryPairOrAList) {
  test::write_text(dir_ / "pairs.csv", pairs_csv());
  const std::string entries = "validate=[faces, faces=pairs.csv]";
  ASSERT_EQ(train({"--out", "run", "--set", entries, "--set", "validate_every=5"}).exit_code, 0);
  std::istringstream lines(read_text_file(dir_ / "run/log.jsonl"));
  std::vector<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.at("kind") != "validation") continue;
    seen.push_back(json.at("set").get<std::string>() + std::to_string(json.at("step").get<int>()));
    EXPECT_GE(json.at("metrics").at("auc").get<double>(), 0) << line;
    EXPECT_EQ(json.at("metrics").contains("accuracy"), json.at("set") == "faces=pairs") << line;
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"faces5", "faces=pairs5", "faces10", "faces=pairs10"}));
  EXPECT_TRUE(fs::exists(dir_ / "run/best/model.safetensors"));
  refused(train({"--out", "x", "--set", "validate=[nowhere.bin]"}), 4, "nowhere.bin");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

// Groups' error rates while training, and the best weights by the worst group's.
TEST_F(ProgramTest, ValidationByGroup) {
  const fs::path people = test::make_toy_set(dir_ / "people", 8, 6);
  std::string attributes = "identity,sex\n";
  for (int p = 0; p < 8; ++p) attributes += test::person_name(p) + (p % 2 == 0 ? ",f\n" : ",m\n");
  test::write_text(dir_ / "people.csv", attributes);
  const auto import = test::run_process(
      "likeness-data", {"import", people, dir_ / "people.faces.h5", "--attributes", dir_ / "people.csv"});
  ASSERT_EQ(import.exit_code, 0) << import.err;
  const std::string entry = "validate=[people.faces.h5 by sex at fmr=1e-1]";
  const auto r = train({"--out", "run", "--set", entry, "--set", "best=people by sex/worst_fnmr"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  std::istringstream lines(read_text_file(dir_ / "run/log.jsonl"));
  int validations = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.at("kind") != "validation") continue;
    ++validations;
    EXPECT_EQ(json.at("set"), "people by sex");
    const auto& m = json.at("metrics");
    EXPECT_TRUE(m.contains("auc")) << line;
    for (const char* rate : {"fmr", "fnmr"})
      EXPECT_EQ(
          m.at(std::string("worst_") + rate).get<double>(),
          std::max(m.at(std::string(rate) + "/sex=f").get<double>(), m.at(std::string(rate) + "/sex=m").get<double>()))
          << line;
  }
  EXPECT_EQ(validations, 2);
  EXPECT_TRUE(fs::exists(dir_ / "run/best/model.safetensors"));
  refused(train({"--out", "x", "--set", "validate=[people.faces.h5 by age]"}), 2, "sex");
  refused(train({"--out", "x", "--set", entry, "--set", "best=people by sex/worst"}), 2, "worst_fnmr");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

// The same network on both sides is judged as one alone; another one of other weights is not.
TEST_F(ProgramTest, ValidationAgainstAnotherModel) {
  test::write_text(dir_ / "pairs.csv", pairs_csv());
  const std::string pairs = "faces=pairs.csv";
  ASSERT_EQ(train({"--out", "old", "--set", "seed=2"}).exit_code, 0);
  ASSERT_EQ(train({"--out", "same", "--set", "steps=9"}).exit_code, 0);
  ASSERT_EQ(train({"--out", "new", "--set", "steps=9", "--set", "validate_every=9", "--set",
                   "validate=[" + pairs + ", " + pairs + " against same, " + pairs + " against old]"})
                .exit_code,
            0);
  std::istringstream lines(read_text_file(dir_ / "new/log.jsonl"));
  std::map<std::string, double> auc;
  for (std::string line; std::getline(lines, line);)
    if (const auto json = nlohmann::json::parse(line); json.at("kind") == "validation")
      auc[json.at("set")] = json.at("metrics").at("auc").get<double>();
  ASSERT_EQ(auc.size(), 3u);
  EXPECT_NEAR(auc.at("faces=pairs against same"), auc.at("faces=pairs"), 1e-9);
  EXPECT_NE(auc.at("faces=pairs against old"), auc.at("faces=pairs"));
  refused(train({"--out", "x", "--set", "validate=[faces against old]"}), 2, "against MODEL");
  refused(train({"--out", "x", "--set", "backbone.embedding=8", "--set", "validate=[" + pairs + " against old]"}), 2,
          "widths");
}

TEST_F(ProgramTest, AnExistingOutputNeedsForceOrResume) {
  ASSERT_EQ(train({"--out", "run", "--set", "steps=1"}).exit_code, 0);
  refused(train({"--out", "run"}), 2, "--force");
  EXPECT_EQ(train({"--out", "run", "--force", "--set", "steps=2"}).exit_code, 0);
  EXPECT_EQ(newest_checkpoint(dir_ / "run")->filename(), "step-2");
  refused(train({"--out", "run", "--force", "--resume"}), 2, "--resume");
}

TEST_F(ProgramTest, MistakesHaveTheirExitCode) {
  refused(train({"--out", "x", "--set", "optimizer.rat=1"}), 2, "optimizer.rate");
  refused(train({"--out", "x", "--set", "data=nowhere"}), 4, "nowhere");
  refused(train({"--out", "x", "--set", "input=32", "--set", "geometry=pictures"}), 4, "16x16");
  refused(train({"--out", "x", "--set", "geometry=auto"}), 4, "geometry: unknown");
  refused(train({"--out", "x", "--set", "input=24"}), 4, "24");
  refused(train({"--out", "x", "--ranks", "two"}), 2, "--ranks");
  refused(train({"--out", "x", "--device", "gpu"}), 2, "--device");
  EXPECT_FALSE(fs::exists(dir_ / "x"));
}

TEST_F(ProgramTest, CudaWithoutAGpuSaysWhatIsMissing) {
  if (fs::exists("/dev/nvidiactl")) GTEST_SKIP() << "skipped: this machine has a GPU";
  const ProcessResult r = train({"--out", "x", "--device", "cuda"});
  refused(r, 5, "scripts/setup.sh --gpu");
  EXPECT_TRUE(r.err.find("liblikeness_cuda.so") != std::string::npos ||
              r.err.find("no NVIDIA driver") != std::string::npos)
      << r.err;
}

TEST_F(ProgramTest, ADiskThatIsFullKeepsTheOldCheckpoint) {
  ASSERT_EQ(train({"--out", "run", "--set", "steps=2"}).exit_code, 0);
  const std::string before = read_text_file(dir_ / "run/checkpoints/step-2/state.json");
  ProcessOptions options;
  options.file_size_limit = 1 << 20;  // the weights need 4 MB
  write_recipe(4);
  refused(train({"--out", "fresh"}, options), 5, "disk is full");
  EXPECT_FALSE(newest_checkpoint(dir_ / "fresh"));
  for (const auto& entry : fs::directory_iterator(dir_ / "fresh/checkpoints"))
    ADD_FAILURE() << "left behind: " << entry.path();
  EXPECT_EQ(read_text_file(dir_ / "run/checkpoints/step-2/state.json"), before);
}

// The forecast is made without touching a tensor; the measured figure is the process's own, in a fresh process each.
TEST_F(ProgramTest, APlanForetellsTheMemoryOfARealStep) {
  struct Case {
    const char *network, *batch, *precision, *recompute;
  };
  for (const Case& c : {Case{"mbf", "16", "f32", "false"}, Case{"mbf", "8", "bf16", "false"},
                        Case{"r18", "4", "f32", "false"}, Case{"mbf", "32", "f32", "true"}}) {
    test::write_text(dir_ / "plan.yaml", "data: nowhere\ninput: 112\nbatch: " + std::string(c.batch) +
                                             "\nprecision: " + c.precision + "\nrecompute: " + c.recompute +
                                             "\nbackbone: {name: " + c.network + "}\n");
    ProcessOptions options;
    options.cwd = dir_.path();
    const ProcessResult r = test::run_process(
        "likeness-train",
        {"plan", "plan.yaml", "--identities", "20000", "--pictures", "100000", "--seconds", "0.1", "--json"}, options);
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const nlohmann::json plan = nlohmann::json::parse(r.out);
    const double foretold = plan["memory_total"], measured = plan["measured"]["memory"];
    EXPECT_NEAR(foretold / measured, 1, .15) << c.network << " " << c.precision << "\n" << plan.dump(2);
    EXPECT_GT(plan["measured"]["pictures_per_second"], 0);
  }
}

TEST_F(ProgramTest, APlanStartsNoRanksAndRefusesHalfASize) {
  write_recipe(10);
  ProcessOptions options;
  options.cwd = dir_.path();
  const ProcessResult r =
      test::run_process("likeness-train", {"plan", "toy.yaml", "--ranks", "3", "--seconds", "0", "--json"}, options);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const nlohmann::json plan = nlohmann::json::parse(r.out);  // one object: one process spoke
  EXPECT_EQ(plan["ranks"], 3);
  EXPECT_EQ(plan["sent_per_step"].size(), 3u);
  EXPECT_TRUE(plan["measured"].is_null());
  refused(test::run_process("likeness-train", {"plan", "toy.yaml", "--identities", "5"}, options), 2, "--pictures");
}

}  // namespace
}  // namespace likeness::train
