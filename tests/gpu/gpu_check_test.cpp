// gpu_check as a user runs it, on machines without a GPU: its logic on the CPU, and what it says of things that are
// missing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness {
namespace {

namespace fs = std::filesystem;
using test::run_process;

const std::string kScript = (test::source_dir() / "scripts/gpu_check.sh").string();

TEST(GpuCheck, TheCpuPassesItsOwnCheck) {
  const auto result = run_process("gpu_check", {"--device", "cpu", "--quick", "--json", "--networks", "mbf",
                                                "--classes", "1k", "--batch", "4", "--size", "32"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report.at("schema"), "likeness.gpu_check/1");
  EXPECT_TRUE(report.at("passed").get<bool>());
  std::set<std::string> names;
  for (const auto& check : report.at("checks")) {
    names.insert(check.at("name").get<std::string>());
    EXPECT_TRUE(check.at("passed").get<bool>()) << check;
    EXPECT_GT(check.at("cases").get<int>(), 0) << check;
    if (check.at("precision") == "f64") continue;  // some repeat the reference's own operations
    EXPECT_GT(check.at("worst").get<double>(), 0) << check << ": one form, compared with itself";
  }
  for (const char* name :
       {"margin_points", "tile_online", "tile_binary", "tile_gradient_, softmax", "tile_gradient_, binary",
        "passes over the classes", "classifier, every loss", "batch norm + PReLU + addition", "convolution",
        "linear on tokens", "attention", "pixels to numbers", "optimizer", "steps of mbf: loss, embeddings",
        "steps of mbf: 1 - cosine of what moved"})
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_FALSE(report.at("repeats").empty());
  for (const auto& repeat : report.at("repeats")) EXPECT_TRUE(repeat.at("bit_equal").get<bool>()) << repeat;
  ASSERT_EQ(report.at("speed").size(), 1u);
  EXPECT_GT(report.at("speed")[0].at("pictures_per_second").get<double>(), 0);
}

TEST(GpuCheck, LimitsThatCannotBeKeptFail) {
  const auto result =
      run_process("gpu_check", {"--device", "cpu", "--quick", "--json", "--only", "tile_", "--tolerance", "1e-7"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_FALSE(report.at("passed").get<bool>());
  EXPECT_NE(result.err.find("FAILED"), std::string::npos);
}

TEST(GpuCheck, NothingCheckedIsNothingPassed) {
  EXPECT_EQ(run_process("gpu_check", {"--device", "cpu", "--quick", "--only", "no such check"}).exit_code, 1);
}

TEST(GpuCheck, WrongUseIsNamed) {
  const std::vector<std::vector<std::string>> cases = {
      {"--tolerance", "0"}, {"--classes", "1"}, {"--networks", "r50,,"}, {"--nothing"}, {"--device", "tpu"}};
  for (const auto& arguments : cases) {
    const auto result = run_process("gpu_check", arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments[0] << result.err;
    EXPECT_NE(result.err.find(arguments[0]), std::string::npos) << result.err;
  }
}

TEST(GpuCheck, HelpNamesTheExitCodes) {
  for (const std::string& program : {std::string("gpu_check"), kScript}) {
    const auto result = run_process(program, {"--help"});
    EXPECT_EQ(result.exit_code, 0) << program;
    for (const char* text : {"0 all passed", "1 a comparison failed", "5 ", "--quick", "--json"})
      EXPECT_NE(result.out.find(text), std::string::npos) << program << " " << text;
  }
}

TEST(GpuCheck, WithoutAGpuItExits5AndSaysSo) {
  if (fs::exists("/dev/nvidiactl")) GTEST_SKIP() << "skipped: this machine has a GPU";
  const auto result = run_process("gpu_check", {"--quick"});
  EXPECT_EQ(result.exit_code, 5) << result.err;
  EXPECT_NE(result.err.find("CUDA"), std::string::npos) << result.err;
}

TEST(GpuCheck, TheScriptNamesWhatIsMissingBeforeItBuilds) {
  const test::TempDir dir;
  const auto refused = [&](std::vector<std::string> arguments, const char* text) {
    arguments.insert(arguments.end(), {"--build", (dir / "build").string()});
    const auto result = run_process(kScript, arguments);
    EXPECT_EQ(result.exit_code, 5) << result.err;
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
    EXPECT_FALSE(fs::exists(dir / "build"));
  };
  refused({"--torch", "/nowhere/torch"}, "no LibTorch");
  for (const char* file :
       {"lib/libtorch_cpu.so", "lib/libtorch_cuda.so", "include/ATen/ATen.h"}) {  // a torch to look at
    fs::create_directories((dir.path() / "torch" / file).parent_path());
    std::ofstream(dir.path() / "torch" / file);
  }
  const std::string torch = (dir / "torch").string();
  refused({"--torch", torch, "--nvcc", "/nowhere/nvcc"}, "no nvcc");
  if (!fs::exists("/dev/nvidiactl")) refused({"--torch", torch, "--nvcc", "/bin/true"}, "no NVIDIA GPU");
  fs::remove(dir / "torch" / "lib/libtorch_cuda.so");
  refused({"--torch", torch, "--nvcc", "/bin/true"}, "this torch has no CUDA");
}

TEST(GpuCheck, TheScriptRefusesUnknownOptions) {
  EXPECT_EQ(run_process(kScript, {"--nothing"}).exit_code, 2);
  EXPECT_EQ(run_process(kScript, {"--torch"}).exit_code, 2);
}

}  // namespace
}  // namespace likeness
