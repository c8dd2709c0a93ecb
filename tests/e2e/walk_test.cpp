// The main job on synthetic faces, as the README tells it: make, train, stop and resume, verify, judge groups, export, check, report.
#include <csignal>

#include "tests/e2e/walk.h"

namespace likeness::test {
namespace {

// 200 steps take 8 s on two cores; start-up takes half a second.
constexpr std::chrono::milliseconds kSomewhereInTheMiddle{2500};

class Walk : public ::testing::Test {
 protected:
  static TempDir& dir() { static TempDir d; return d; }
  static std::string recipe() { return (source_dir() / "configs/synthetic_quick.yaml").string(); }
  static std::vector<std::string> train(const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> args{"train", recipe(), "--set", "data=train.faces.h5", "--set", "steps=200", "--set", "batch=8", "--set",
                                  "checkpoint_every=20", "--set", "log_every=20", "--set", "validate=[]", "--threads", "2", "--out", out};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  static void SetUpTestSuite() {
    likeness_in(dir().path(), {"data", "synth", "train.faces.h5", "--identities", "10", "--pictures", "6", "--size", "64", "--seed", "1"});
    likeness_in(dir().path(), {"data", "synth", "test.faces.h5", "--identities", "60", "--first-identity", "1000", "--pictures", "3", "--size",
                               "64", "--seed", "2", "--pairs", "pairs.csv"});
    likeness_in(dir().path(), train("run"));
  }
  static std::string final_weights(const std::string& run) { return read_bytes(dir() / (run + "/checkpoints/step-200/model.safetensors")); }
};

TEST_F(Walk, TheRunFolderIsComplete) {
  for (const char* name : {"config.yaml", "provenance.json", "log.csv", "log.jsonl", "DONE"})
    EXPECT_TRUE(std::filesystem::exists(dir() / ("run/" + std::string(name)))) << name;
  likeness_in(dir().path(), {"train", "run/config.yaml", "--out", "again", "--threads", "2"});  // the resolved recipe reproduces the run
  EXPECT_EQ(final_weights("again"), final_weights("run"));
}

TEST_F(Walk, AnExistingRunIsNotOverwritten) { likeness_in(dir().path(), train("run"), 2); }

TEST_F(Walk, StoppedBySignalAndResumedEndsEqual) {
  ProcessOptions stop;
  stop.signal = SIGTERM;
  stop.signal_after = kSomewhereInTheMiddle;
  const ProcessResult r = likeness_in(dir().path(), train("stopped"), 143, stop);
  EXPECT_FALSE(std::filesystem::exists(dir() / "stopped/DONE")) << r.err;
  likeness_in(dir().path(), train("stopped", {"--resume"}));
  EXPECT_EQ(final_weights("stopped"), final_weights("run"));
}

TEST_F(Walk, KilledAndResumedEndsEqual) {
  ProcessOptions kill;
  kill.signal = SIGKILL;
  kill.signal_after = kSomewhereInTheMiddle;
  likeness_in(dir().path(), train("killed"), 128 + SIGKILL, kill);
  likeness_in(dir().path(), train("killed", {"--resume"}));
  EXPECT_EQ(final_weights("killed"), final_weights("run"));
}

TEST_F(Walk, VerifyBiasExportCheckReport) {
  likeness_in(dir().path(), {"eval", "verify", "run", "test.faces.h5", "--pairs", "pairs.csv", "--convention", "insightface", "--out", "v.json"});
  const auto verify = read_json(dir() / "v.json");
  EXPECT_EQ(verify["schema"], "likeness.result/1");
  EXPECT_GT(verify["metrics"]["accuracy"]["value"], 0.4);
  likeness_in(dir().path(), {"eval", "bias", "run", "test.faces.h5", "--trials", "all", "--at", "fmr=1e-1", "--by", "gender", "--out", "b.json"});
  const auto bias = read_json(dir() / "b.json");
  ASSERT_GE(bias["groups"].size(), 2u);
  EXPECT_TRUE(bias["groups"][0]["metrics"].contains("fmr"));

  likeness_in(dir().path(), {"export", "onnx", "run", "model.onnx"});
  likeness_in(dir().path(), {"export", "onnx", "run", "again.onnx"});
  EXPECT_EQ(read_bytes(dir() / "model.onnx"), read_bytes(dir() / "again.onnx")) << "re-export changes bytes";
  likeness_in(dir().path(), {"export", "check", "model.onnx", "--against", "run"});
  likeness_in(dir().path(), train("other", {"--set", "seed=9"}));
  likeness_in(dir().path(), {"export", "check", "model.onnx", "--against", "other"}, 1);

  // The exported file gives the run's own figures.
  likeness_in(dir().path(), {"eval", "verify", "model.onnx", "test.faces.h5", "--pairs", "pairs.csv", "--convention", "insightface", "--out", "o.json"});
  EXPECT_NEAR(read_json(dir() / "o.json")["metrics"]["accuracy"]["value"].get<double>(), verify["metrics"]["accuracy"]["value"].get<double>(), 0.01);

  likeness_in(dir().path(), {"eval", "report", "v.json", "b.json", "--out", "report.html"});
  const std::string html = read_bytes(dir() / "report.html");
  EXPECT_EQ(html.find("src=\"http"), std::string::npos) << "the report must not load anything";
  EXPECT_NE(html.find("gender"), std::string::npos);
  expect_no_leftovers(dir().path());
}

TEST_F(Walk, AModelIsNotFedPicturesOfAnotherGeometry) {
  likeness_in(dir().path(), {"data", "synth", "big.faces.h5", "--identities", "3", "--pictures", "2", "--size", "112"});
  // 112 pictures with known points are warped; folders without landmarks are not guessed about.
  likeness_in(dir().path(), {"eval", "embed", "run", "big.faces.h5", "warped.emb.h5"});
  const auto info = nlohmann::json::parse(likeness_in(dir().path(), {"data", "info", "big.faces.h5", "--json"}).out);
  EXPECT_EQ(info["pictures"], 6);
  EXPECT_EQ(info["identities"], 3);
}

}  // namespace
}  // namespace likeness::test
