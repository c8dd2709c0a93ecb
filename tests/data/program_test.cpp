// likeness-data as a user runs it: what it prints, its exit codes, and what it leaves behind.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/data/small_sets.h"
#include "tests/support/process.h"

namespace likeness::test {
namespace {

class Program : public ::testing::Test {
 protected:
  ProcessResult run(std::vector<std::string> args, int exit_code = 0, std::uintmax_t file_size_limit = 0) {
    ProcessOptions options;
    options.cwd = dir_.path();
    options.file_size_limit = file_size_limit;
    const ProcessResult r = run_process("likeness-data", args, options);
    EXPECT_EQ(r.exit_code, exit_code) << r.out << r.err;
    return r;
  }
  TempDir dir_;
};

TEST_F(Program, ImportInfoAndView) {
  write_folder(dir_ / "set", 3, 2);
  write_text(dir_ / "set/a.csv", "identity,male\nperson0,0\nperson1,1\n");
  const auto imported = nlohmann::json::parse(run({"import", "set", "out.faces.h5", "--attributes", "set/a.csv",
                                                   "--points", "10,12 22,12 16,18 11,24 21,24", "--json"})
                                                  .out);
  EXPECT_EQ(imported["pictures"], 6);
  EXPECT_EQ(imported["attributes"]["gender"], (nlohmann::json{{"female", 2}, {"male", 2}, {"unknown", 2}}));
  EXPECT_EQ(imported["attribute_rows"]["by"], "identity");
  const auto info = nlohmann::json::parse(run({"info", "out.faces.h5", "--json"}).out);
  EXPECT_EQ(info["pictures"], 6);
  EXPECT_EQ(info["identities"], 3);
  EXPECT_EQ(info["size"], (std::vector<int>{32, 32}));
  EXPECT_EQ(info["digest"], imported["digest"]);
  EXPECT_EQ(info["geometry"]["points"][1], (std::vector<double>{22, 12}));
  EXPECT_EQ(info["attributes"]["gender"]["female"], 2);
  expect_part(run({"info", "out.faces.h5"}).out, "female 2, male 2, unknown 2");
  run({"view", "out.faces.h5", "--count", "4", "--columns", "2", "--cell", "32", "--points", "--out", "sheet.png"});
  const data::Image sheet = data::decode(read_bytes(dir_ / "sheet.png"), "sheet.png");
  EXPECT_EQ(sheet.width, 64);
  EXPECT_EQ(sheet.height, 64);
  run({"view", "out.faces.h5"}, 2);  // names no output
}

TEST_F(Program, UnknownGeometryIsSaid) {
  write_folder(dir_ / "set", 2, 1);
  expect_part(run({"import", "set", "out.faces.h5"}).out, "say where the faces stand");
}

TEST_F(Program, ExitCodesOfBadInput) {
  write_folder(dir_ / "set", 2, 1);
  std::filesystem::create_directories(dir_ / "empty");
  const auto before = files_in(dir_.path());
  run({"import", "nothing", "out.faces.h5"}, 4);
  run({"import", "empty", "out.faces.h5"}, 4);
  run({"import", golden("formats/bin/must_be_refused_eval.bin").string(), "out.faces.h5"}, 4);
  run({"import", "set", "out.faces.h5", "--on-bad", "ignore"}, 2);
  run({"import", "set", "out.faces.h5", "--points", "1,2"}, 2);
  run({"import", "set", "nowhere/out.faces.h5"}, 2);
  run({"import", "set", "out.faces.h5"}, 5, 600);  // the disk is full
  EXPECT_EQ(files_in(dir_.path()), before);
  run({"import", "set", "out.faces.h5"});
  expect_part(run({"import", "set", "out.faces.h5"}, 2).err, "--force");
  run({"import", "set", "out.faces.h5", "--force"});
}

TEST_F(Program, BadPicturesFailOrAreSkippedAndListed) {
  write_folder(dir_ / "set", 2, 2);
  write_text(dir_ / "set/person1/0.jpg", "not a picture");
  expect_part(run({"import", "set", "out.faces.h5"}, 4).err, "person1/0.jpg");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out.faces.h5"));
  const ProcessResult r = run({"import", "set", "out.faces.h5", "--on-bad", "skip", "--json"});
  const auto json = nlohmann::json::parse(r.out);
  EXPECT_EQ(json["skipped"], 1);
  expect_part(json["skipped_list"][0], "person1/0.jpg");
  expect_part(r.err, "person1/0.jpg");
}

TEST_F(Program, OneIdentityIsWarnedOf) {
  write_folder(dir_ / "set", 1, 2);
  expect_part(run({"info", "set"}).err, "only one identity");
}

}  // namespace
}  // namespace likeness::test
