// The program as a user runs it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/engine/small_model.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::exporting {
namespace {

using test::ProcessResult;

ProcessResult run(const test::TempDir& dir, const std::vector<std::string>& args, test::ProcessOptions options = {}) {
  options.cwd = dir.path();
  return test::run_process("likeness-export", args, options);
}

TEST(ExportProgram, ExportsAndChecks) {
  const test::TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  const ProcessResult onnx = run(dir, {"onnx", "m.safetensors", "m.onnx", "--json"});
  ASSERT_EQ(onnx.exit_code, 0) << onnx.err;
  const nlohmann::json json = nlohmann::json::parse(onnx.out);
  EXPECT_EQ(json["schema"], "likeness.export/1");
  EXPECT_EQ(json["parity"]["passed"], true);
  EXPECT_EQ(json["weights_hash"], test::small_model().contract.weights_hash);

  const ProcessResult check = run(dir, {"check", "m.onnx", "--against", "m.safetensors"});
  EXPECT_EQ(check.exit_code, 0) << check.err;
  EXPECT_NE(check.out.find("openvino"), std::string::npos) << check.out;
  EXPECT_NE(check.out.find("passed"), std::string::npos);

  EXPECT_EQ(run(dir, {"onnx", "m.safetensors", "m.onnx"}).exit_code, 2);
  EXPECT_EQ(run(dir, {"onnx", "m.safetensors", "m.onnx", "--force"}).exit_code, 0);
}

TEST(ExportProgram, AnotherNetworkIsAFailedCheck) {
  const test::TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  test::save_small_model(dir / "other.safetensors", 2);
  ASSERT_EQ(run(dir, {"onnx", "m.safetensors", "m.onnx"}).exit_code, 0);
  const ProcessResult check = run(dir, {"check", "m.onnx", "--against", "other.safetensors", "--json"});
  EXPECT_EQ(check.exit_code, 1) << check.err;
  EXPECT_EQ(nlohmann::json::parse(check.out)["passed"], false);
}

TEST(ExportProgram, BadInputHasItsExitCode) {
  const test::TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  EXPECT_EQ(run(dir, {"onnx", "nothing", "m.onnx"}).exit_code, 4);
  EXPECT_EQ(run(dir, {"onnx", "m.safetensors"}).exit_code, 2);
  EXPECT_EQ(run(dir, {"onnx", "m.safetensors", "no/folder/m.onnx"}).exit_code, 2);
  test::write_file(dir / "bad.onnx", "not a protobuf");
  EXPECT_EQ(run(dir, {"check", "bad.onnx", "--against", "m.safetensors"}).exit_code, 4);
}

TEST(ExportProgram, AFullDiskLeavesNothing) {
  const test::TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  test::ProcessOptions small_disk;
  small_disk.file_size_limit = 20000;
  const ProcessResult r = run(dir, {"onnx", "m.safetensors", "m.onnx"}, small_disk);
  EXPECT_EQ(r.exit_code, 5) << r.err;
  EXPECT_NE(r.err.find("m.onnx"), std::string::npos) << r.err;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(ExportProgram, HelpShowsAnExample) {
  const test::TempDir dir;
  EXPECT_NE(run(dir, {"onnx", "--help"}).out.find("likeness export onnx runs/mbf mbf.onnx"), std::string::npos);
  EXPECT_NE(run(dir, {"check", "--help"}).out.find("--against"), std::string::npos);
}

}  // namespace
}  // namespace likeness::exporting
