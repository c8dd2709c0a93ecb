#include "core/cli.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

using nlohmann::json;
using test::TempDir;

struct Ran {
  int exit_code;
  std::string out, err;
};

// What the verb "work" does in a test.
std::function<CommandResult(const CommonOptions&)> work;

Program program(const std::string& default_verb = "") {
  const auto setup = [](CLI::App& app) -> std::function<CommandResult(const CommonOptions&)> {
    auto input = std::make_shared<std::string>();
    auto batch = std::make_shared<int>(1);
    app.add_option("input", *input, "What to work on")->required();
    app.add_option("--batch", *batch, "Pictures at once");
    return [input, batch](const CommonOptions& common) {
      if (work) return work(common);
      return CommandResult{
          0, {{"input", *input}, {"batch", *batch}, {"threads", common.threads}}, "worked on " + *input};
    };
  };
  Program p{.stage = "test", .summary = "a stage for tests", .verbs = {}, .default_verb = default_verb};
  p.verbs.push_back({"work", "Do the work", "likeness test work in.txt --batch 8", setup});
  p.verbs.push_back({"plan", "Plan the work", "", setup});
  return p;
}

Ran run(std::vector<std::string> arguments, const std::string& default_verb = "") {
  arguments.insert(arguments.begin(), "likeness-test");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran result;
  result.exit_code = run_program(program(default_verb), static_cast<int>(arguments.size()), argv.data());
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

class Cli : public testing::Test {
 protected:
  ~Cli() override { work = nullptr; }
};

TEST_F(Cli, RunsAVerbAndPrintsItsText) {
  const Ran r = run({"work", "in.txt"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_EQ(r.out, "worked on in.txt\n");
  EXPECT_EQ(r.err, "");
}

TEST_F(Cli, JsonIsExactlyOneObjectOnStdoutWhateverLibrariesPrint) {
  work = [](const CommonOptions& common) {
    std::printf("a library is chatty\n");
    return CommandResult{1, {{"threads", common.threads}}, "text"};
  };
  const Ran r = run({"work", "x", "--json", "--threads", "3"});
  EXPECT_EQ(r.exit_code, 1);
  EXPECT_EQ(json::parse(r.out), (json{{"threads", 3}}));
  EXPECT_NE(r.err.find("chatty"), std::string::npos);
}

TEST_F(Cli, HelpShowsOptionsExampleAndCommonOptions) {
  const Ran verb = run({"work", "--help"});
  EXPECT_EQ(verb.exit_code, 0);
  for (const char* part :
       {"--batch", "--json", "--out", "--threads", "--device", "--force", "likeness test work in.txt --batch 8"}) {
    EXPECT_NE(verb.out.find(part), std::string::npos) << part;
  }
  const Ran stage = run({"--help"});
  EXPECT_EQ(stage.exit_code, 0);
  EXPECT_NE(stage.out.find("Plan the work"), std::string::npos);
  EXPECT_EQ(run({"--verbs"}).out, "work\tDo the work\nplan\tPlan the work\n");
  EXPECT_NE(run({"--version"}).out.find("revision"), std::string::npos);
}

TEST_F(Cli, WrongUseExitsWith2AndSuggests) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "no verb given"},
      {{"wrok", "x"}, "did you mean work?"},
      {{"work"}, "input"},
      {{"work", "x", "y"}, "unexpected argument y"},
      {{"work", "x", "--bacth", "8"}, "did you mean --batch?"},
      {{"work", "x", "--bacth=8"}, "did you mean --batch?"},
      {{"work", "x", "--thread", "8"}, "did you mean --threads?"},
      {{"work", "x", "--batch", "many"}, "many"},
      {{"work", "x", "--batch"}, "--batch"},
      {{"work", "x", "--threads", "-1"}, "--threads"},
      {{"work", "x", "--device", "gpu"}, "cpu, cuda"},
      {{"work", "x", "--device", "cuda:"}, "cpu, cuda"}};
  for (const auto& [arguments, expected] : cases) {
    const Ran r = run(arguments);
    EXPECT_EQ(r.exit_code, 2) << expected;
    EXPECT_EQ(r.out, "");
    EXPECT_NE(r.err.find(expected), std::string::npos) << r.err;
    EXPECT_LE(std::count(r.err.begin(), r.err.end(), '\n'), 5) << r.err;
  }
  for (const char* device : {"cpu", "cuda", "cuda:0", "cuda:15", "auto"}) {
    EXPECT_EQ(run({"work", "x", "--device", device}).exit_code, 0) << device;
  }
}

TEST_F(Cli, ErrorsAreJsonWhenJsonWasAskedFor) {
  const Ran usage = run({"work", "--json"});
  EXPECT_EQ(usage.exit_code, 2);
  EXPECT_EQ(json::parse(usage.out).at("exit"), 2);
  work = [](const CommonOptions&) -> CommandResult {
    fail_data({.what = "bad", .where = "here", .expected = "this", .got = "that \xff", .hint = "try"});
  };
  const Ran r = run({"work", "x", "--json"});
  EXPECT_EQ(r.exit_code, 4);
  EXPECT_EQ(json::parse(r.out).at("error").at("where"), "here");
  EXPECT_EQ(json::parse(r.out).at("exit"), 4);
  EXPECT_TRUE(r.err.starts_with("error: bad\n  where:    here\n"));
}

TEST_F(Cli, ExceptionsBecomeExitCodes) {
  const auto exits = [](auto thrower) {
    work = [thrower](const CommonOptions&) -> CommandResult {
      thrower();
      return {};
    };
    return run({"work", "x"});
  };
  EXPECT_EQ(exits([] { throw Interrupted(SIGINT); }).exit_code, 130);
  EXPECT_EQ(exits([] { throw Interrupted(SIGTERM); }).exit_code, 143);
  EXPECT_EQ(exits([] { throw std::bad_alloc(); }).exit_code, 5);
  EXPECT_EQ(exits([] { throw std::system_error(std::make_error_code(std::errc::too_many_files_open)); }).exit_code, 5);
  EXPECT_EQ(exits([] { throw 42; }).exit_code, 70);
  EXPECT_EQ(exits([] { throw std::runtime_error("DefaultCPUAllocator: can't allocate memory: you tried"); }).exit_code,
            5);
  EXPECT_EQ(exits([] { std::filesystem::create_directory("/proc/none"); }).exit_code, 5);
  EXPECT_EQ(exits([] { throw Error(ErrorKind::kInconclusive, {.what = "w"}); }).exit_code, 3);
  const Ran bug =
      exits([] { throw std::runtime_error("size mismatch\nException raised from at tensor.cpp:1\nframe #0"); });
  EXPECT_EQ(bug.exit_code, 70);
  EXPECT_NE(bug.err.find("size mismatch\n"), std::string::npos);
  EXPECT_NE(bug.err.find("report it"), std::string::npos);
  EXPECT_EQ(bug.err.find("frame"), std::string::npos);
}

TEST_F(Cli, OutIsWrittenWholeAndNotReplacedWithoutForce) {
  TempDir dir;
  const std::string out = dir / "r.json";
  EXPECT_EQ(run({"work", "a", "--out", out}).exit_code, 0);
  EXPECT_EQ(json::parse(read_text(out)).at("input"), "a");
  bool ran = false;
  work = [&](const CommonOptions&) {
    ran = true;
    return CommandResult{0, {{"second", true}}, ""};
  };
  EXPECT_EQ(run({"work", "b", "--out", out}).exit_code, 2);
  EXPECT_FALSE(ran) << "refused only after the work was done";
  EXPECT_EQ(run({"work", "b", "--out", out, "--force"}).exit_code, 0);
  EXPECT_EQ(json::parse(read_text(out)), (json{{"second", true}}));
  EXPECT_EQ(run({"work", "b", "--out", dir / "no/r.json"}).exit_code, 2);
}

TEST_F(Cli, TheDefaultVerbStandsForWhatIsNotAVerb) {
  EXPECT_EQ(run({"recipe.yaml", "--batch", "4"}, "work").out, "worked on recipe.yaml\n");
  EXPECT_EQ(run({"--batch", "4", "recipe.yaml"}, "work").out, "worked on recipe.yaml\n");
  const Ran typo = run({"plna", "recipe.yaml"}, "work");
  EXPECT_EQ(typo.exit_code, 2);
  EXPECT_NE(typo.err.find("did you mean plan?"), std::string::npos);
  EXPECT_EQ(run({}, "work").exit_code, 2);
}

TEST_F(Cli, AStdoutThatCannotBeWrittenIsAnEnvironmentError) {
  const int saved = ::dup(STDOUT_FILENO);
  std::fflush(stdout);
  FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  ::dup2(::fileno(full), STDOUT_FILENO);
  char name[] = "likeness-test", verb[] = "work", input[] = "x";
  char* argv[] = {name, verb, input, nullptr};
  testing::internal::CaptureStderr();
  const int exit_code = run_program(program(), 3, argv);
  const std::string err = testing::internal::GetCapturedStderr();
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  std::fclose(full);
  EXPECT_EQ(exit_code, 5);
  EXPECT_NE(err.find("stdout"), std::string::npos);
}

}  // namespace
}  // namespace likeness
