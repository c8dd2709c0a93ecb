// The exported file in the hands of the Python packages everybody else uses.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "export/onnx_export.h"
#include "model/graph/interpreter.h"
#include "tests/engine/small_model.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::exporting {
namespace {

TEST(CrossCheck, OnnxCheckerAndOnnxRuntimeTakeTheFile) {
  const std::filesystem::path python = test::source_dir() / ".deps/python/bin/python";
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "skipped: scripts/setup.sh --crosscheck";
  const test::TempDir dir;
  test::save_small_model(dir / "m.safetensors");
  const OnnxExport done = export_onnx(dir / "m.safetensors", dir / "m.onnx", IfExists::kRefuse, {});
  const std::vector<ParityPicture> pictures = parity_pictures(done.contract);
  std::vector<float> input;
  for (const ParityPicture& p : pictures) input.insert(input.end(), p.input.begin(), p.input.end());
  std::ofstream(dir / "input.f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size() * sizeof(float)));
  const test::ProcessResult r = test::run_process(
      python.string(), {(test::source_dir() / "tests/export/crosscheck.py").string(), (dir / "m.onnx").string(),
                        (dir / "input.f32").string(), std::to_string(pictures.size())});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const nlohmann::json seen = nlohmann::json::parse(r.out);

  EXPECT_EQ(seen["ir"], 7);
  EXPECT_EQ(seen["opset"], (nlohmann::json{{"", 13}}));
  EXPECT_EQ(seen["ops"], (nlohmann::json{"Add", "BatchNormalization", "Conv", "Flatten", "Gemm", "PRelu"}));
  EXPECT_EQ(seen["prelu_slopes"], nlohmann::json{3}) << "slopes must be [C,1,1]";
  EXPECT_EQ(seen["external"].size(), 0u);
  ASSERT_EQ(seen["inputs"].size(), 1u);
  ASSERT_EQ(seen["outputs"].size(), 1u);
  EXPECT_EQ(seen["inputs"][0]["name"], "data");
  EXPECT_EQ(seen["inputs"][0]["shape"], (nlohmann::json{"batch", 3, 32, 32}));
  EXPECT_EQ(seen["outputs"][0]["name"], "fc1");
  EXPECT_EQ(seen["outputs"][0]["shape"], (nlohmann::json{"batch", 24}));
  for (const auto& name : seen["first_nodes"])  // insightface takes such names for a baked-in normalisation
    for (const char* sniffed : {"Sub", "_minus", "Mul", "_mul"})
      EXPECT_NE(name.get<std::string>().rfind(sniffed, 0), 0u);

  const model::TrainedModel m = test::small_model();
  const std::vector<double> expected =
      model::Interpreter(m.graph, m.weights)
          .run({input.begin(), input.end()}, static_cast<std::int64_t>(pictures.size()));
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t k = 0; k < 24; ++k) {
      const double a = seen["embeddings"][i][k], b = expected[i * 24 + k];
      ab += a * b, aa += a * a, bb += b * b;
    }
    EXPECT_GT(ab / std::sqrt(aa * bb), 1 - 1e-6) << pictures[i].name;
  }
}

}  // namespace
}  // namespace likeness::exporting
