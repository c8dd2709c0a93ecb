#include "export/onnx_export.h"

#include <gtest/gtest.h>

#include "core/version.h"
#include "model/graph/onnx.h"
#include "tests/engine/small_model.h"
#include "tests/support/paths.h"

namespace likeness::exporting {
namespace {

using test::error_of;
using test::read_file;
using test::TempDir;

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(ExportOnnx, HoldsTheModelAndItsContract) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  const OnnxExport done = export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kRefuse, {});
  EXPECT_EQ(done.bytes, std::filesystem::file_size(dir / "m.onnx"));
  EXPECT_EQ(done.digest, file_digest(dir / "m.onnx"));
  const model::TrainedModel original = test::small_model(), back = model::load_model(dir / "m.onnx");
  EXPECT_EQ(back.contract.difference(original.contract), "");
  EXPECT_EQ(model::weights_hash(back.graph, back.weights), original.contract.weights_hash);
  const model::OnnxInfo info = model::onnx_info(dir / "m.onnx");
  EXPECT_EQ(info.opset, 13);
  EXPECT_EQ(info.ir, 7);
  EXPECT_EQ(info.input, "data");
  EXPECT_EQ(info.output, "fc1");
  EXPECT_EQ(info.input_shape, (std::vector<std::int64_t>{-1, 3, 32, 32}));
  EXPECT_EQ(info.output_shape, (std::vector<std::int64_t>{-1, 24}));
  EXPECT_EQ(info.metadata.at("likeness.version"), version());
  EXPECT_EQ(info.metadata.at("likeness.revision"), git_revision());
}

TEST(ExportOnnx, IsTheSameToTheByteHoweverOften) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  export_onnx(dir / "m.safetensors", dir / "a.onnx", IfExists::kRefuse, {});
  export_onnx(dir / "m.safetensors", dir / "b.onnx", IfExists::kRefuse, {});
  export_onnx(dir / "a.onnx", dir / "c.onnx", IfExists::kRefuse, {});  // an exported file is a model, too
  EXPECT_EQ(read_file(dir / "a.onnx"), read_file(dir / "b.onnx"));
  EXPECT_EQ(read_file(dir / "a.onnx"), read_file(dir / "c.onnx"));
}

class EveryEngine : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ExportOnnx, EveryEngine, testing::Values("mbf", "vit_t"));

TEST_P(EveryEngine, HasItsRow) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors", 1, GetParam());
  const ParityReport parity = export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kRefuse, {}).parity;
  EXPECT_TRUE(parity.passed()) << parity.to_text();
  ASSERT_EQ(parity.engines.size(), 4u);
  for (const EngineParity& e : parity.engines) {
    if (e.engine == "opencv" && std::string(GetParam()) == "vit_t") {  // OpenCV 4.6 cannot, and says which node
      EXPECT_FALSE(e.ran);
      EXPECT_NE(e.why_not.find("Clip"), std::string::npos) << e.why_not;
      EXPECT_NE(parity.to_text().find("not run: OpenCV DNN cannot load"), std::string::npos) << parity.to_text();
      continue;
    }
#ifndef LIKENESS_HAS_TORCH
    if (e.engine == "torch") {
      EXPECT_FALSE(e.ran);
      EXPECT_NE(e.why_not.find("LibTorch"), std::string::npos) << e.why_not;
      continue;
    }
#endif
    EXPECT_TRUE(e.ran && e.agrees) << parity.to_text();
    EXPECT_GT(e.worst_cosine, 1 - 1e-9) << e.engine << " " << e.worst_case;
    EXPECT_GT(e.reference_scale, 0) << e.engine;
  }
}

TEST(ExportOnnx, AnExistingFileIsKeptUnlessForced) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  test::write_file(dir / "m.onnx", "precious");
  const Error e = error_of([&] { export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kRefuse, {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_NE(e.parts().hint.find("--force"), std::string::npos);
  EXPECT_EQ(read_file(dir / "m.onnx"), "precious");
  export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kReplace, {});
  EXPECT_GT(std::filesystem::file_size(dir / "m.onnx"), 1000u);
}

TEST(ExportOnnx, FailedParityLeavesNothingAndHarmsNothing) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  test::write_file(dir / "m.onnx", "precious");
  ParityOptions impossible;
  impossible.min_cosine = 1.5;
  const Error e = error_of([&] { export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kReplace, impossible); });
  EXPECT_EQ(e.kind(), ErrorKind::kCheckFailed);
  EXPECT_EQ(read_file(dir / "m.onnx"), "precious");
  EXPECT_EQ(entries(dir.path()), 2u) << "a temporary file was left behind";
}

TEST(ExportOnnx, TheNameMustSayOnnx) {
  const TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  EXPECT_EQ(error_of([&] { export_onnx(dir / "m.safetensors", dir / "m.bin", IfExists::kRefuse, {}); }).kind(),
            ErrorKind::kUsage);
}

TEST(Parity, PicturesAreOfThreeKindsAndInRange) {
  ModelContract contract;
  contract.geometry = FaceGeometry::arcface(48);
  const std::vector<ParityPicture> pictures = parity_pictures(contract);
  ASSERT_EQ(pictures.size(), 7u);
  for (const ParityPicture& p : pictures) {
    ASSERT_EQ(p.input.size(), 3u * 48 * 48);
    for (float v : p.input) EXPECT_LE(std::abs(v), 1.0f);
  }
  EXPECT_NE(pictures[0].input, pictures[1].input);
  EXPECT_NE(pictures[4].input, pictures[5].input);
}

// A file that computes something else than the reference is found by every engine.
TEST(Parity, FindsAnotherNetworksAnswers) {
  const TempDir dir;
  const model::TrainedModel a = test::small_model(1), b = test::small_model(2);
  test::write_file(dir / "b.onnx", model::to_onnx(b.graph, b.weights, b.contract, {}));
  const ParityReport parity = check_parity(a, dir / "b.onnx", {});
  EXPECT_FALSE(parity.passed());
  for (const EngineParity& e : parity.engines) EXPECT_FALSE(e.agrees) << e.engine;
}

// The tolerance is tight enough to see a wrong epsilon, the classic mistake of converters.
TEST(Parity, FindsAWrongEpsilon) {
  const TempDir dir;
  const model::TrainedModel right = test::small_model();
  model::TrainedModel wrong = right;
  for (model::Node& node : wrong.graph.nodes)
    if (node.op == model::Op::kBatchNorm) node.epsilon = 2e-3;
  test::write_file(dir / "wrong.onnx", model::to_onnx(wrong.graph, wrong.weights, wrong.contract, {}));
  const ParityReport parity = check_parity(right, dir / "wrong.onnx", {});
  EXPECT_FALSE(parity.passed()) << parity.to_text();
}

TEST(Parity, OurOwnParserAloneProvesNothing) {
  ParityReport report;
  report.engines = {{.engine = "interpreter", .independent = false, .ran = true, .agrees = true},
                    {.engine = "openvino", .independent = true}};
  EXPECT_FALSE(report.passed());
  report.engines[1].ran = report.engines[1].agrees = true;
  EXPECT_TRUE(report.passed());
  report.engines.push_back(
      {.engine = "opencv", .independent = true, .ran = true, .agrees = false, .worst_cosine = 0.9});
  EXPECT_FALSE(report.passed());
}

}  // namespace
}  // namespace likeness::exporting
