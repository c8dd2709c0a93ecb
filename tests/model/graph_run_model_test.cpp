#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "model/graph/onnx.h"
#include "model/run_model.h"
#include "tests/model/reference.h"

namespace likeness::model {
namespace {

namespace fs = std::filesystem;

TrainedModel small_model(std::uint64_t seed = 1) {
  TrainedModel model;
  model.graph = build_backbone({.name = "mbf", .input = 32, .embedding = 16});
  model.weights = initial_weights(model.graph, seed);
  model.contract = arcface_contract(32);
  return model;
}

std::string load_error(const fs::path& path) {
  try {
    load_model(path);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    return e.what();
  }
  return "";
}

TEST(RunModel, SavesAndLoadsNetworkWeightsAndContract) {
  const test::TempDir dir;
  const TrainedModel model = small_model();
  save_model(dir / "m.safetensors", model, IfExists::kRefuse);
  const TrainedModel back = load_model(dir / "m.safetensors");
  EXPECT_EQ(back.graph.nodes, model.graph.nodes);
  EXPECT_EQ(back.graph.tensors, model.graph.tensors);
  EXPECT_EQ(back.contract.weights_hash, weights_hash(model.graph, model.weights));
  EXPECT_EQ(back.contract.dimension, 16);
  EXPECT_TRUE(back.contract.geometry.same_as(FaceGeometry::arcface(32)));
  EXPECT_THROW(save_model(dir / "m.safetensors", model, IfExists::kRefuse), Error);
}

TEST(RunModel, FindsTheFileInRunsAndCheckpoints) {
  const test::TempDir dir;
  const fs::path run = dir / "run";
  EXPECT_NE(load_error(run).find("model not found"), std::string::npos);
  fs::create_directories(run / "checkpoints/step-900");
  EXPECT_NE(load_error(run).find("folder holds no model"), std::string::npos);
  fs::create_directories(run / "checkpoints/step-1200");
  fs::create_directories(run / "checkpoints/step-9999.partial");
  fs::create_directories(run / "best");
  save_model(run / "checkpoints/step-900/model.safetensors", small_model(900), IfExists::kRefuse);
  save_model(run / "checkpoints/step-1200/model.safetensors", small_model(1200), IfExists::kRefuse);
  save_model(run / "checkpoints/step-9999.partial/model.safetensors", small_model(9999), IfExists::kRefuse);
  EXPECT_EQ(find_model_file(run), run / "checkpoints/step-1200/model.safetensors");
  EXPECT_EQ(find_model_file(run / "checkpoints/step-900"), run / "checkpoints/step-900/model.safetensors");
  save_model(run / "best/model.safetensors", small_model(5), IfExists::kRefuse);
  EXPECT_EQ(find_model_file(run), run / "best/model.safetensors");
  std::ofstream(run / "notes.txt") << "x";
  EXPECT_NE(load_error(run / "notes.txt").find("not a model"), std::string::npos);
}

TEST(RunModel, OnnxOfOursIsAModel) {
  const test::TempDir dir;
  const TrainedModel model = small_model();
  std::ofstream(dir / "m.onnx", std::ios::binary) << to_onnx(model.graph, model.weights, model.contract, {});
  const TrainedModel back = load_model(dir / "m.onnx");
  EXPECT_EQ(back.graph.nodes, model.graph.nodes);
  EXPECT_EQ(back.contract.weights_hash, weights_hash(model.graph, model.weights));
  EXPECT_NE(load_error(test::golden("onnx/tiny_legacy_opset13.onnx")).find("without our contract"), std::string::npos);
}

TEST(RunModel, RefusesWhatDoesNotAgree) {
  const test::TempDir dir;
  const TrainedModel model = small_model();
  save_model(dir / "good.safetensors", model, IfExists::kRefuse);
  const Weights good = read_safetensors(dir / "good.safetensors");

  Weights bare = good;
  bare.metadata.clear();
  write_safetensors(dir / "bare.safetensors", bare, IfExists::kRefuse);
  EXPECT_NE(load_error(dir / "bare.safetensors").find("weights without a description"), std::string::npos);

  Weights altered = good;
  altered.tensors["conv_sep.layers.0.weight"].data[3] ^= std::byte{1};
  write_safetensors(dir / "altered.safetensors", altered, IfExists::kRefuse);
  EXPECT_NE(load_error(dir / "altered.safetensors").find("weights_hash"), std::string::npos);

  Weights other = good;
  other.metadata["backbone"] = backbone_json({.name = "r18", .input = 32, .embedding = 16});
  write_safetensors(dir / "other.safetensors", other, IfExists::kRefuse);
  EXPECT_NE(load_error(dir / "other.safetensors").find("tensor conv1.weight"), std::string::npos);

  TrainedModel geometry = model;
  geometry.contract = arcface_contract(112);
  save_model(dir / "geometry.safetensors", geometry, IfExists::kRefuse);
  EXPECT_NE(load_error(dir / "geometry.safetensors").find("geometry"), std::string::npos);
}

}  // namespace
}  // namespace likeness::model
