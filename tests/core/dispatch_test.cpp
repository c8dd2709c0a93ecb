#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness {
namespace {

namespace fs = std::filesystem;
using test::run_process;

// `likeness` in a folder of its own, beside stages that are scripts.
class Dispatch : public testing::Test {
 protected:
  Dispatch() {
    fs::copy_file(test::binary_dir() / "likeness", dir_ / "likeness");
    script("likeness-data",
           "if [ \"$1\" = --verbs ]; then printf 'import\\tRead foreign data\\n'; exit 0; fi\n"
           "for a in \"$@\"; do echo \"<$a>\"; done; exit 3");
    script("likeness-eval", "exit 1");  // does not start
  }
  void script(const std::string& name, const std::string& body) {
    std::ofstream(dir_ / name) << "#!/bin/sh\n" << body << "\n";
    ::chmod((dir_ / name).c_str(), 0755);
  }
  test::ProcessResult run(const std::vector<std::string>& arguments) {
    return run_process((dir_ / "likeness").string(), arguments);
  }

  test::TempDir dir_;
};

TEST_F(Dispatch, HandsArgumentsAndExitCodeThrough) {
  const auto r = run({"data", "import", "a b", "", "--points", "1,2 3,4"});
  EXPECT_EQ(r.exit_code, 3);
  EXPECT_EQ(r.out, "<import>\n<a b>\n<>\n<--points>\n<1,2 3,4>\n");
}

TEST_F(Dispatch, HelpListsStagesWithTheirOwnVerbs) {
  const auto r = run({"--help"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_NE(r.out.find("  import      Read foreign data\n"), std::string::npos) << r.out;
  for (const char* stage : {"\ndata: ", "\ntrain: ", "\neval: ", "\nexport: "})
    EXPECT_NE(r.out.find(stage), std::string::npos);
  EXPECT_NE(r.out.find("not in this build, or does not start"), std::string::npos);
}

TEST_F(Dispatch, AStageThatIsNotThereIsAnEnvironmentError) {
  const auto r = run({"train", "x.yaml"});
  EXPECT_EQ(r.exit_code, 5);
  EXPECT_NE(r.err.find("likeness-train"), std::string::npos);
}

TEST_F(Dispatch, UnknownStagesSuggestTheNearest) {
  const auto typo = run({"dtaa"});
  EXPECT_EQ(typo.exit_code, 2);
  EXPECT_NE(typo.err.find("did you mean data?"), std::string::npos);
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run({"--nonsense"}).exit_code, 2);
}

TEST_F(Dispatch, VersionNamesTheRevision) {
  const auto r = run({"--version"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_NE(r.out.find("revision"), std::string::npos);
}

}  // namespace
}  // namespace likeness
