// Train with sub-centres, list the wrong labels, train again without them: as a user does it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::ProcessResult;
using test::read_text_file;

class DropTest : public testing::Test {
 protected:
  static constexpr int kPeople = 6, kEach = 10;

  // Two of everybody's ten pictures are moved to the next person's folder.
  DropTest() {
    test::make_toy_set(dir_ / "faces", kPeople, kEach);
    for (int p = 0; p < kPeople; ++p)
      for (int k : {0, 1})
        fs::rename(dir_ / "faces" / test::person_name(p) / (std::to_string(k) + ".jpg"),
                   dir_ / "faces" / test::person_name((p + 1) % kPeople) / ("wrong" + std::to_string(k) + ".jpg"));
    test::write_text(dir_ / "toy.yaml",
                     "data: faces\ngeometry: unknown\ninput: 16\nbatch: 12\nsteps: 120\nflip: 0\n"
                     "backbone: {name: mbf, embedding: 16}\n"
                     "head: {loss: arcface, margin: 0.3, scale: 16, sub_centers: 3}\nlog_every: 20\n");
  }
  ProcessResult train(std::vector<std::string> args) {
    args.insert(args.end(), {"--threads", "1"});
    test::ProcessOptions options;
    options.cwd = dir_.path();
    return test::run_process("likeness-train", args, options);
  }

  test::TempDir dir_;
};

TEST_F(DropTest, WrongLabelsAreFoundAndLeftOut) {
  ASSERT_EQ(train({"run", "toy.yaml", "--out", "sub3"}).exit_code, 0);
  const ProcessResult r = train({"drop", "sub3", "drop.csv", "--centers", "centers.safetensors", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto json = nlohmann::json::parse(r.out);
  EXPECT_EQ(json.at("pictures"), kPeople * kEach);
  EXPECT_EQ(json.at("emptied_identities"), 0);

  std::istringstream lines(read_text_file(dir_ / "drop.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "record,identity,cosine,degrees,center,dominant");
  int wrong = 0, listed = 0;
  for (; std::getline(lines, line); ++listed) wrong += line.find("wrong") != std::string::npos;
  EXPECT_EQ(json.at("suspects"), listed);
  EXPECT_GE(wrong, 9) << "of 12 wrong labels\n" << read_text_file(dir_ / "drop.csv");
  EXPECT_LE(listed - wrong, 3) << "of 48 right ones";

  // Again without them, from what was learnt.
  const ProcessResult again =
      train({"run", "toy.yaml", "--out", "clean", "--set", "exclude=drop.csv", "--set", "head.sub_centers=1", "--set",
             "head.init=centers.safetensors", "--set", "backbone.init=sub3", "--set", "steps=0"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find(std::to_string(listed) + " pictures left out"), std::string::npos) << again.err;
  const auto facts = nlohmann::json::parse(read_text_file(dir_ / "clean/provenance.json")).at("starts").at(0);
  EXPECT_EQ(facts.at("excluded"), std::to_string(listed));
  EXPECT_EQ(facts.at("pictures"), std::to_string(kPeople * kEach - listed));
  const Checkpoint old = load_checkpoint(*newest_checkpoint(dir_ / "sub3")),
                   fresh = load_checkpoint(*newest_checkpoint(dir_ / "clean"));
  const auto rows = join_rows(fresh.head, "weight", kPeople, 16, "clean"),
             three = join_rows(old.head, "weight", kPeople * 3, 16, "sub3");
  for (std::size_t p = 0, bytes = 16 * sizeof(float); p < kPeople; ++p) {
    bool found = false;  // among the three it had
    for (std::size_t k = 0; k < 3; ++k)
      found = found || std::equal(rows.data.begin() + static_cast<std::ptrdiff_t>(p * bytes),
                                  rows.data.begin() + static_cast<std::ptrdiff_t>((p + 1) * bytes),
                                  three.data.begin() + static_cast<std::ptrdiff_t>((3 * p + k) * bytes));
    EXPECT_TRUE(found) << p;
  }
}

TEST_F(DropTest, MistakesAreNamed) {
  const auto refused = [](const ProcessResult& r, int code, const std::string& word) {
    EXPECT_EQ(r.exit_code, code) << r.err;
    EXPECT_NE(r.err.find(word), std::string::npos) << r.err;
  };
  ASSERT_EQ(train({"run", "toy.yaml", "--out", "one", "--set", "steps=1", "--set", "head.sub_centers=1"}).exit_code, 0);
  refused(train({"drop", "one", "drop.csv"}), 2, "head.sub_centers");
  refused(train({"drop", "nowhere", "drop.csv"}), 4, "nowhere");
  refused(train({"run", "toy.yaml", "--out", "x", "--set", "steps=1", "--set", "head.init=one"}), 4, "sub_centers");
  test::write_text(dir_ / "other.csv", "record\np99/0.jpg\n");
  refused(train({"run", "toy.yaml", "--out", "x", "--set", "exclude=other.csv"}), 4, "p99/0.jpg");
  ASSERT_EQ(train({"run", "toy.yaml", "--out", "three", "--set", "steps=1"}).exit_code, 0);
  test::write_text(dir_ / "drop.csv", "here before");
  refused(train({"drop", "three", "drop.csv"}), 2, "--force");
  test::make_toy_set(dir_ / "others", 3, 4);
  refused(train({"drop", "three", "new.csv", "--data", "others"}), 4, "--data");
  // A run that left pictures out goes on only without the same ones.
  test::write_text(dir_ / "list.csv", "record\n" + test::person_name(0) + "/5.jpg\n");
  const std::vector<std::string> same = {"run",   "toy.yaml", "--out", "part",
                                         "--set", "steps=2",  "--set", "exclude=list.csv"};
  ASSERT_EQ(train(same).exit_code, 0);
  test::write_text(dir_ / "list.csv", "record\n" + test::person_name(0) + "/6.jpg\n");
  auto resumed = same;
  resumed.push_back("--resume");
  refused(train(resumed), 4, "other pictures");
}

}  // namespace
}  // namespace likeness::train
