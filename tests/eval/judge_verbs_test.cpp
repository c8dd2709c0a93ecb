// compare, gate and the workflows of docs/ci as a user runs them, on archives.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/file.h"
#include "core/scores.h"
#include "eval/result.h"
#include "tests/eval/program.h"
#include "tests/eval/support.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

class JudgeVerbs : public testing::Test {
 protected:
  test::TempDir dir;
  JudgeVerbs() {
    test::people(80, 4, 24, .8).save(dir / "old.emb.h5", IfExists::kRefuse);
    test::people(80, 4, 24, 1.6).save(dir / "blurred.emb.h5", IfExists::kRefuse);
    std::ofstream(dir / "subjects.key") << "a secret";
    std::ofstream(dir / "gate.yaml")
        << "resample: {replicates: 300}\ngates:\n  loss: {metric: fnmr@fmr=1e-2, worse_by_at_most: 0.1}\n";
  }
  test::ProcessResult eval(const std::vector<std::string>& args, int expected) {
    return test::run_eval(dir.path(), args, expected);
  }
};

TEST_F(JudgeVerbs, IntervalsOverPeopleAreTheDefault) {
  eval({"verify", "old.emb.h5", "--trials", "all", "--at", "fmr=1e-2", "--seed", "3", "--out", "people.json"}, 0);
  eval({"verify", "old.emb.h5", "--trials", "all", "--at", "fmr=1e-2", "--bootstrap", "0", "--out", "pairs.json"}, 0);
  const Measure people = Result::load(dir / "people.json").metrics.at("tar@fmr=1e-2"),
                pairs = Result::load(dir / "pairs.json").metrics.at("tar@fmr=1e-2");
  EXPECT_EQ(people.interval.method, "subject-bootstrap");
  EXPECT_EQ(people.interval.replicates, 1000);
  EXPECT_EQ(people.interval.seed, 3);
  EXPECT_EQ(pairs.interval.method, "wilson");
  EXPECT_EQ(people.value, pairs.value);
  eval({"report", "people.json", "--out", "report.html"}, 0);
  EXPECT_NE(read_text(dir / "report.html").find("subject bootstrap of 1,000 replicates"), std::string::npos);
}

TEST_F(JudgeVerbs, Compare) {
  const auto text = eval({"compare", "old.emb.h5", "blurred.emb.h5", "--trials", "all", "--by", "gender", "--bootstrap",
                          "200", "--out", "c.json"},
                         0);
  EXPECT_NE(text.out.find("B worse"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("gender=female"), std::string::npos) << text.out;
  const json c = json::parse(read_text(dir / "c.json"));
  EXPECT_EQ(c["schema"], "likeness.comparison/1");
  EXPECT_EQ(c["data"]["people"], 80);
  eval({"compare", "old.emb.h5", "blurred.emb.h5", "--trials", "all", "--by", "age"}, 2);
  eval({"compare", "old.emb.h5", "blurred.emb.h5"}, 2);
}

TEST_F(JudgeVerbs, ScoresOfOtherTrialsAreNotCompared) {
  std::ofstream pairs(dir / "pairs.csv");
  pairs << "a,b,label\n";
  for (int s = 0; s < 79; ++s)
    pairs << "person_" << s << "_0001,person_" << s << "_0002,1\nperson_" << s << "_0001,person_" << s + 1
          << "_0002,0\n";
  pairs.close();
  eval({"verify", "old.emb.h5", "--trials", "all", "--scores", "all.scores.h5", "--key", "subjects.key"}, 0);
  eval({"verify", "old.emb.h5", "--pairs", "pairs.csv", "--scores", "list.scores.h5", "--key", "subjects.key"}, 0);
  EXPECT_NE(eval({"compare", "all.scores.h5", "list.scores.h5"}, 4).err.find("same trials"), std::string::npos);
  eval({"gate", "gate.yaml", "--candidate", "all.scores.h5", "--baseline", "list.scores.h5"}, 4);
  eval({"compare", "all.scores.h5", "all.scores.h5", "--bootstrap", "100"}, 0);
}

TEST_F(JudgeVerbs, GateExitCodesAndFiles) {
  const auto gate = [&](const std::string& candidate, int expected, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"gate",       "gate.yaml",  "--candidate", candidate,
                                     "--baseline", "old.emb.h5", "--trials",    "all"};
    args.insert(args.end(), more.begin(), more.end());
    return eval(args, expected);
  };
  gate("old.emb.h5", 0, {"--junit", "g.xml", "--markdown", "g.md", "--out", "g.json"});
  EXPECT_NE(read_text(dir / "g.xml").find("failures=\"0\""), std::string::npos);
  EXPECT_NE(read_text(dir / "g.md").find("## Gate: pass"), std::string::npos);
  EXPECT_EQ(json::parse(read_text(dir / "g.json"))["outcome"], "pass");
  EXPECT_NE(gate("blurred.emb.h5", 1).out.find("loss: fail"), std::string::npos);
  gate("old.emb.h5", 2, {"--junit", "g.xml"});  // it is there already
  eval({"gate", "gate.yaml", "--candidate", "old.emb.h5", "--trials", "all"}, 3);
  std::ofstream(dir / "gate.yaml")
      << "data: {pairs: 3}\ngates:\n  loss: {metric: fnmr@fmr=1e-2, worse_by_at_most: 0.1}\n";
  gate("blurred.emb.h5", 4);
  std::ofstream(dir / "gate.yaml") << "gates:\n  loss: {metrik: fnmr@fmr=1e-2, worse_by_at_most: 0.1}\n";
  EXPECT_NE(gate("old.emb.h5", 2).err.find("metric"), std::string::npos);
}

// The commands of a workflow: lines that call likeness, without the keys before them.
std::vector<std::string> commands(const std::string& workflow) {
  std::vector<std::string> list;
  std::istringstream lines(read_text(test::source_dir() / "docs" / "ci" / workflow));
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find("likeness eval ");
    if (at != std::string::npos && line.find('#') > at) list.push_back(line.substr(at));
  }
  return list;
}

class Workflow : public JudgeVerbs, public testing::WithParamInterface<const char*> {};

TEST_P(Workflow, ItsCommandsRun) {
  std::filesystem::copy_file(test::source_dir() / "docs" / "ci" / "gate.yaml", dir / "gate.yaml",
                             std::filesystem::copy_options::overwrite_existing);
  test::people(80, 4, 64, .8).save(dir / "old.emb.h5", IfExists::kReplace);
  test::people(80, 4, 64, 1.6).save(dir / "blurred.emb.h5", IfExists::kReplace);
  std::ofstream pairs(dir / "pairs.csv");
  pairs << "a,b,label\n";
  for (int s = 0; s < 80; ++s)
    for (int p = 1; p <= 4; ++p)
      for (int q = 1; q <= 4; ++q) {
        if (p < q) pairs << "person_" << s << "_000" << p << ",person_" << s << "_000" << q << ",1\n";
        for (int d : {1, 2, 7})
          pairs << "person_" << s << "_000" << p << ",person_" << (s + d) % 80 << "_000" << q << ",0\n";
      }
  pairs.close();
  eval({"verify", "old.emb.h5", "--pairs", "pairs.csv", "--scores", "baseline.scores.h5", "--key", "subjects.key"}, 0);
  const std::vector<std::string> list = commands(GetParam());
  ASSERT_EQ(list.size(), 2u);
  // The same model as before makes too few errors to say; one that sees much less fails.
  for (const auto& [candidate, code] : {std::pair{"old.emb.h5", 3}, std::pair{"blurred.emb.h5", 1}}) {
    std::filesystem::copy_file(dir / candidate, dir / "candidate.emb.h5",
                               std::filesystem::copy_options::overwrite_existing);
    for (std::size_t k = 0; k < list.size(); ++k) {
      test::ProcessOptions options;
      options.cwd = dir.path();
      options.env = {{"CANDIDATE", "candidate.emb.h5"}, {"PATH", test::binary_dir().string() + ":/usr/bin:/bin"}};
      const auto r = test::run_process("/bin/sh", {"-ec", list[k]}, options);
      EXPECT_EQ(r.exit_code, k == 0 ? 0 : code) << candidate << ": " << list[k] << "\n" << r.out << r.err;
    }
    EXPECT_NE(read_text(dir / "gate.xml").find("<testsuite "), std::string::npos);
    EXPECT_NE(read_text(dir / "gate.md").find("## Gate"), std::string::npos);
    EXPECT_EQ(json::parse(read_text(dir / "gate.json"))["exit"], code);
  }
}
INSTANTIATE_TEST_SUITE_P(Docs, Workflow, testing::Values("github-actions.yml", "gitlab-ci.yml"));

}  // namespace
}  // namespace likeness::eval
