#include <gtest/gtest.h>

#include "export/onnx_export.h"
#include "model/graph/onnx.h"
#include "tests/engine/small_model.h"
#include "tests/support/paths.h"

namespace likeness::exporting {
namespace {

using test::read_file;
using test::TempDir;
using test::write_file;

struct Exported {
  TempDir dir;
  std::filesystem::path model = dir / "m.safetensors", onnx = dir / "m.onnx";
  Exported() {
    test::save_small_model(model);
    const model::TrainedModel m = test::small_model();
    write_file(onnx, model::to_onnx(m.graph, m.weights, m.contract, {}));
  }
};

std::string joined(const OnnxCheck& check) {
  std::string text;
  for (const std::string& d : check.differences) text += d + "\n";
  return text;
}

TEST(CheckOnnx, PassesWhatExportWrote) {
  const Exported e;
  const OnnxCheck check = check_onnx(e.onnx, e.model, {});
  EXPECT_TRUE(check.passed()) << check.to_text();
  EXPECT_EQ(check.to_json()["passed"], true);
  EXPECT_EQ(check.to_json()["parity"]["engines"].size(), 4u);
  EXPECT_NE(check.to_text().find("openvino"), std::string::npos);
}

// One bit of one weight, changed where it lies in the file; the metadata still name the right hash.
TEST(CheckOnnx, FindsAFlippedBit) {
  const Exported e;
  const model::TrainedModel m = test::small_model();
  const auto& [name, tensor] = *std::find_if(m.weights.tensors.begin(), m.weights.tensors.end(), [](const auto& t) {
    return t.second.dtype == "F32" && t.second.elements() > 64 && t.first.find("weight") != std::string::npos;
  });
  std::string bytes = read_file(e.onnx);
  const std::string raw(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
  const std::size_t at = bytes.find(raw);
  ASSERT_NE(at, std::string::npos) << name << " does not lie in the file as it is";
  bytes[at + 2] = static_cast<char>(bytes[at + 2] ^ 0x10);
  write_file(e.onnx, bytes);
  const OnnxCheck check = check_onnx(e.onnx, e.model, {});
  EXPECT_FALSE(check.passed());
  EXPECT_NE(joined(check).find(name + " differs in 1 of"), std::string::npos) << joined(check);
  EXPECT_NE(joined(check).find("changed after export"), std::string::npos) << joined(check);
}

TEST(CheckOnnx, SaysWhatDiffersInAnotherNetwork) {
  const Exported e;
  test::save_small_model(e.model, 2);
  const OnnxCheck check = check_onnx(e.onnx, e.model, {});
  EXPECT_FALSE(check.passed());
  EXPECT_NE(joined(check).find("weights"), std::string::npos) << joined(check);
  EXPECT_NE(joined(check).find(" more of "), std::string::npos) << joined(check);
  EXPECT_TRUE(check.to_json()["parity"].is_null());
  EXPECT_LE(check.differences.size(), 7u);
}

TEST(CheckOnnx, SaysWhatDiffersInTheContract) {
  const Exported e;
  model::TrainedModel m = test::small_model();
  m.contract.preprocess = Preprocess::parse("mean=0,0,0;std=255,255,255;order=rgb");
  write_file(e.onnx, model::to_onnx(m.graph, m.weights, m.contract, {}));
  const OnnxCheck check = check_onnx(e.onnx, e.model, {});
  ASSERT_EQ(check.differences.size(), 1u) << joined(check);
  EXPECT_NE(check.differences[0].find("contract"), std::string::npos);
}

TEST(CheckOnnx, AFileOfSomeoneElseIsNotThisModel) {
  const Exported e;
  std::string bytes = read_file(e.onnx);
  for (std::size_t at = bytes.find("likeness."); at != std::string::npos; at = bytes.find("likeness.", at))
    bytes.replace(at, 9, "somebody.");
  write_file(e.onnx, bytes);
  const OnnxCheck check = check_onnx(e.onnx, e.model, {});
  EXPECT_FALSE(check.passed());
  EXPECT_NE(joined(check).find("no contract"), std::string::npos);
}

TEST(CheckOnnx, ADamagedFileIsBadData) {
  const Exported e;
  const std::string bytes = read_file(e.onnx);
  write_file(e.onnx, bytes.substr(0, bytes.size() - 100));
  EXPECT_EQ(test::error_of([&] { check_onnx(e.onnx, e.model, {}); }).kind(), ErrorKind::kData);
}

}  // namespace
}  // namespace likeness::exporting
