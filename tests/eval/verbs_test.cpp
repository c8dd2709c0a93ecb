// likeness-eval as a user runs it, on archives (models are walked through in tests/e2e).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/scores.h"
#include "eval/verify.h"
#include "tests/eval/program.h"
#include "tests/eval/support.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::eval {
namespace {

using nlohmann::json;

class Verbs : public testing::Test {
 protected:
  test::TempDir dir;
  EmbeddingArchive archive = test::people(60, 4, 24, .8);
  Verbs() {
    archive.save(dir / "none.emb.h5", IfExists::kRefuse);
    EmbeddingArchive sum = archive;
    sum.contract.flip = "sum";
    sum.save(dir / "sum.emb.h5", IfExists::kRefuse);
    std::ofstream pairs(dir / "pairs.csv");
    pairs << "a,b,label\n";
    for (int p = 0; p < 300; ++p) {
      const std::string name = "person_" + std::to_string(p % 60);
      pairs << name << "_0001," << name << "_000" << 2 + p % 3 << ",1\n";
      pairs << name << "_0001,person_" << (p + 1 + p / 60) % 60 << "_0003,0\n";
    }
    std::ofstream(dir / "subjects.key") << "a secret";
  }
  test::ProcessResult eval(const std::vector<std::string>& args, int expected) {
    return test::run_eval(dir.path(), args, expected);
  }
};

TEST_F(Verbs, VerifyWritesResultAndScores) {
  const auto r = eval({"verify", "sum.emb.h5", "--pairs", "pairs.csv", "--convention", "insightface", "--at", "fmr=1e-1", "--scores", "s.scores.h5", "--key",
                       "subjects.key", "--out", "v.json"}, 0);
  EXPECT_NE(r.out.find("accuracy"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("/600"), std::string::npos) << "a rate without its count:\n" << r.out;
  const Result v = Result::load(dir / "v.json");
  EXPECT_EQ(v.folds.size(), 10u);
  EXPECT_EQ(v.conditions.at("flip"), "sum");
  EXPECT_TRUE(v.metrics.contains("tar@fmr=1e-1"));
  EXPECT_FALSE(v.metrics.contains("tar@fmr=1e-3")) << "--at replaces the defaults";
  const ScoreArchive s = ScoreArchive::load(dir / "s.scores.h5");
  EXPECT_EQ(s.size(), 600u);
  EXPECT_EQ(s.subject_ids[0], hash_subject("person 0", "a secret"));
}

TEST_F(Verbs, JsonIsOneObject) {
  const json j = json::parse(eval({"verify", "none.emb.h5", "--trials", "all", "--json"}, 0).out);
  EXPECT_EQ(j["schema"], "likeness.result/1");
  EXPECT_EQ(j["protocol"], "all pairs");
}

TEST_F(Verbs, BiasAndReport) {
  eval({"bias", "none.emb.h5", "--trials", "all", "--at", "fmr=1e-2", "--by", "gender", "--out", "b.json"}, 0);
  eval({"verify", "none.emb.h5", "--pairs", "pairs.csv", "--out", "v.json"}, 0);
  eval({"report", "v.json", "b.json", "--out", "report.html"}, 0);
  EXPECT_GT(std::filesystem::file_size(dir / "report.html"), 150'000u) << "the chart library is not in it";
  eval({"report", "v.json", "--out", "report.html"}, 2);
  eval({"report", "v.json", "--out", "report.html", "--force"}, 0);
}

TEST_F(Verbs, IdentifyWritesResultCandidatesAndReport) {
  test::people(500, 1, 24, 1).save(dir / "crowd.emb.h5", IfExists::kRefuse);
  const auto r = eval({"identify", "none.emb.h5", "--held-out", "0.5", "--seed", "4", "--distractors", "crowd.emb.h5", "--at", "fpir=1e-1", "--at", "threshold=0.5",
                       "--traffic", "2000", "--candidates", "c.csv", "--top", "3", "--out", "i.json"}, 0);
  EXPECT_NE(r.out.find("210 searches"), std::string::npos) << "30 people with 3 probes, 30 with 4:\n" << r.out;
  EXPECT_NE(r.out.find("/90"), std::string::npos) << "a rate without its count:\n" << r.out;
  const Result i = Result::load(dir / "i.json");
  EXPECT_EQ(i.kind, "identification");
  EXPECT_EQ(i.data.at("distractors"), 500);
  EXPECT_EQ(i.metrics.at("fpir@threshold").denominator, 120);
  EXPECT_EQ(i.conditions.at("rule").at("seed"), 4);
  EXPECT_EQ(i.groups.front().where.at("entries"), "30");
  EXPECT_EQ(i.groups.back().where.at("entries"), "530");
  std::ifstream csv(dir / "c.csv");
  std::int64_t lines = 0;
  for (std::string line; std::getline(csv, line);) ++lines;
  EXPECT_EQ(lines, 1 + 210 * 3);
  eval({"report", "i.json", "--out", "i.html"}, 0);
}

TEST_F(Verbs, IdentifyByRolesAndVerifyByTemplates) {
  std::ofstream roles(dir / "roles.csv"), table(dir / "templates.csv"), pairs(dir / "template_pairs.csv");
  roles << "picture,template,role\n";
  table << "picture,template\n";
  pairs << "a,b,label\n";
  for (int p = 0; p < 60; ++p)
    for (int i = 1; i <= 4; ++i) {
      const std::string picture = "person_" + std::to_string(p) + "_000" + std::to_string(i), half = std::to_string(p) + (i < 3 ? "g" : "p");
      roles << picture << "," << half << "," << (i >= 3 ? "probe" : p < 40 ? "gallery" : "none") << "\n";
      table << picture << "," << half << "\n";
      if (i <= 2) pairs << half << "," << (i == 1 ? p : (p + 1) % 60) << "p," << (i == 1) << "\n";
    }
  roles.close(), table.close(), pairs.close();
  const json j = json::parse(eval({"identify", "none.emb.h5", "--roles", "roles.csv", "--pooling", "flat", "--json"}, 0).out);
  EXPECT_EQ(j["protocol"], "csv roles");
  EXPECT_EQ(j["metrics"]["rank1"]["denominator"], 40);
  EXPECT_EQ(j["conditions"]["templates"]["pooling"], "flat");
  EXPECT_EQ(j["data"]["pictures"], 240);
  const json v = json::parse(eval({"verify", "none.emb.h5", "--templates", "templates.csv", "--pairs", "template_pairs.csv", "--image-norm", "removed", "--at", "fmr=1e-1", "--json"}, 0).out);
  EXPECT_EQ(v["data"]["templates"], 120);
  EXPECT_EQ(v["data"]["genuine"], 60);
  EXPECT_EQ(v["conditions"]["templates"]["image_norm"], "removed");
  eval({"verify", "none.emb.h5", "--templates", "templates.csv", "--pairs", "pairs.csv"}, 4);
  eval({"verify", "none.emb.h5", "--templates", "templates.csv", "--pairs", "template_pairs.csv", "--detector-weight", "on"}, 2);
}

TEST_F(Verbs, IdentifyRefusesByName) {
  EXPECT_NE(eval({"identify", "none.emb.h5", "--distractors", "sum.emb.h5"}, 4).err.find("two contracts"), std::string::npos);
  EXPECT_NE(eval({"identify", "none.emb.h5", "--at", "fmr=1e-2"}, 2).err.find("fpir="), std::string::npos);
  eval({"identify", "none.emb.h5", "--held-out", "1"}, 2);
  eval({"identify", "none.emb.h5", "--roles", "roles.csv", "--ijb", "meta"}, 2);
  eval({"identify", "none.emb.h5", "--rank", "0"}, 2);
  EXPECT_NE(eval({"identify", "none.emb.h5", "--ijb", "meta"}, 4).err.find("meta"), std::string::npos);
  std::ofstream(dir / "roles.csv") << "picture,role\nperson_99_0001,gallery\n";
  EXPECT_NE(eval({"identify", "none.emb.h5", "--roles", "roles.csv", "--candidates", "c.csv", "--out", "i.json"}, 4).err.find("person_99_0001"), std::string::npos);
  std::ofstream(dir / "roles.csv") << "picture,role\nperson_1_0001,probe\n";
  EXPECT_NE(eval({"identify", "none.emb.h5", "--roles", "roles.csv"}, 4).err.find("gallery is empty"), std::string::npos);
  std::filesystem::resize_file(dir / "sum.emb.h5", 3000);
  EXPECT_NE(eval({"identify", "none.emb.h5", "--distractors", "sum.emb.h5"}, 4).err.find("sum.emb.h5"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "i.json")) << "something partial was left";
  EXPECT_FALSE(std::filesystem::exists(dir / "c.csv"));
}

TEST_F(Verbs, TheConventionImpliesFlip) {
  const auto r = eval({"verify", "none.emb.h5", "--pairs", "pairs.csv", "--convention", "insightface"}, 2);
  EXPECT_NE(r.err.find("--flip none"), std::string::npos) << r.err;
  eval({"verify", "none.emb.h5", "--pairs", "pairs.csv", "--convention", "insightface", "--flip", "none"}, 0);
}

TEST_F(Verbs, WrongUse) {
  eval({"verify", "none.emb.h5"}, 2);
  eval({"verify", "none.emb.h5", "--pairs", "pairs.csv", "--trials", "all"}, 2);
  eval({"verify", "none.emb.h5", "--trials", "all", "--convention", "facenet"}, 2);
  eval({"verify", "none.emb.h5", "--trials", "all", "--at", "far=1e-3"}, 2);
  eval({"verify", "none.emb.h5", "--trials", "all", "--scores", "s.scores.h5"}, 2);
  eval({"verify", "sum.emb.h5", "--trials", "all", "--convention", "insightface"}, 2);
  EXPECT_NE(eval({"bias", "none.emb.h5", "--trials", "all", "--by", "race"}, 2).err.find("gender"), std::string::npos);
  eval({"report", "v.json"}, 2);
  EXPECT_FALSE(std::filesystem::exists(dir / "s.scores.h5"));
}

TEST_F(Verbs, BadData) {
  std::ofstream(dir / "missing.csv") << "a,b,label\nperson_1_0001,person_1_0009,1\n";
  EXPECT_NE(eval({"verify", "none.emb.h5", "--pairs", "missing.csv"}, 4).err.find("person_1_0009"), std::string::npos);
  std::ofstream(dir / "empty.csv") << "a,b,label\n";
  EXPECT_NE(eval({"verify", "none.emb.h5", "--pairs", "empty.csv"}, 4).err.find("no pairs left"), std::string::npos);
  std::ofstream sorted(dir / "sorted.csv");
  sorted << "a,b,label\n";
  for (int label : {1, 0})
    for (int p = 0; p < 50; ++p) sorted << "person_" << p << "_0001,person_" << (label ? p : p + 1) << "_0002," << label << "\n";
  sorted.close();
  EXPECT_NE(eval({"verify", "sum.emb.h5", "--pairs", "sorted.csv", "--convention", "insightface"}, 4).err.find("fold 1 of 10"), std::string::npos);
  std::filesystem::resize_file(dir / "sum.emb.h5", 3000);
  EXPECT_NE(eval({"verify", "sum.emb.h5", "--trials", "all"}, 4).err.find("sum.emb.h5"), std::string::npos);
  std::ofstream(dir / "x.json") << "{}";
  eval({"report", "x.json", "--out", "r.html"}, 4);
  EXPECT_FALSE(std::filesystem::exists(dir / "r.html"));
}

}  // namespace
}  // namespace likeness::eval
