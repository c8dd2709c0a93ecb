// Whole runs beside another model: distilled from it, or compatible with it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/crop.h"
#include "model/graph/onnx.h"
#include "tests/train/toy_run.h"
#include "train/terms/make.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::error_of;

class TermRuns : public test::ToyRuns {
 protected:
  TermRuns() {
    run_training(request("teacher", 120, toy({"seed=5"})), {});
    teacher_ = (dir_ / "teacher").string();
  }
  // A toy learns in a hundred steps by AdamW.
  static std::vector<std::string> toy(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"optimizer.kind=adamw", "optimizer.rate=0.003", "optimizer.weight_decay=0"});
    return more;
  }
  // Values of a term in log.jsonl, in order.
  std::vector<double> logged(const std::string& out, const std::string& term) const {
    std::istringstream lines(test::read_text_file(dir_ / out / "log.jsonl"));
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);)
      if (const auto json = nlohmann::json::parse(line); json.contains(term)) values.push_back(json.at(term));
    return values;
  }
  // An ONNX file of a run's network.
  fs::path onnx_of(const std::string& out) const {
    const model::TrainedModel m = model::load_model(dir_ / out);
    test::write_text(dir_ / (out + ".onnx"), model::to_onnx(m.graph, m.weights, m.contract, {}));
    return dir_ / (out + ".onnx");
  }
  std::vector<float> embeddings(const fs::path& model) const {
    const auto source = data::open_faces(data_);
    engine::EngineOptions options;
    options.threads = 1;
    return engine::embed(*engine::open_engine(model, options), *source, {}).embeddings;
  }

  std::string teacher_;
};

double cosine(const float* a, const float* b, std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

// Mean cosine of a picture under one model with other pictures of the same person, and of others, under another.
std::pair<double, double> across(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr std::size_t kPictures = 20, kEach = 5, kDimension = 16;
  double same = 0, other = 0;
  for (std::size_t i = 0; i < kPictures; ++i)
    for (std::size_t j = 0; j < kPictures; ++j)
      if (i != j) (i / kEach == j / kEach ? same : other) += cosine(&a[i * kDimension], &b[j * kDimension], kDimension);
  return {same / (kPictures * (kEach - 1)), other / (kPictures * (kPictures - kEach))};
}

TEST_F(TermRuns, DistillingFromARunFallsAndIsResumedToTheByte) {
  const std::vector<std::string> distill =
      toy({"distill.teacher=" + teacher_, "distill.embedding=200", "distill.logits=20",
           "backbone.embedding=8"});  // so through a projection
  run_training(request("whole", 100, distill), {});
  for (const char* term : {"distill/embedding", "distill/logits"}) {
    const std::vector<double> values = logged("whole", term);
    ASSERT_GE(values.size(), 20u);
    EXPECT_LT(values.back(), .8 * values.front()) << term;
  }
  EXPECT_EQ(load_checkpoint(last("whole")).optimizer.tensors.count("term/distill.projection"), 1u);
  EXPECT_EQ(model::load_model(dir_ / "whole").weights.tensors.count("distill.projection"), 0u);
  run_training(request("short", 9, distill), {});
  stop_and_resume("stopped", 9, 4, distill);
  expect_same_end("short", "stopped");
  // Another teacher is another run.
  run_training(request("other", 1), {});
  std::vector<std::string> changed = distill;
  changed[0] = "distill.teacher=" + (dir_ / "other").string();
  const Error e = error_of([&] { run_training(request("stopped", 9, changed, RunStart::kResume), {}); });
  EXPECT_NE(e.parts().where.find("distill.teacher"), std::string::npos) << e.what();
}

TEST_F(TermRuns, AnOnnxFileTeachesLikeTheRunItCameFrom) {
  run_training(request("a", 6, {"distill.teacher=" + teacher_}), {});
  run_training(request("b", 6, {"distill.teacher=" + onnx_of("teacher").string()}), {});
  const std::vector<double> a = logged("a", "distill/embedding"), b = logged("b", "distill/embedding");
  ASSERT_GE(a.size(), 3u);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6);
}

TEST_F(TermRuns, WhatDoesNotFitIsRefusedByName) {
  const auto refuse = [&](const std::vector<std::string>& assignments, const std::string& word) {
    const Error e = error_of([&] { run_training(request("x", 4, assignments), {}); });
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  };
  refuse({"distill.teacher=" + onnx_of("teacher").string(), "distill.logits=1"}, "distill.logits");
  refuse({"distill.teacher=" + teacher_, "distill.logits=1", "head.sub_centers=2"}, "distill.logits");
  refuse({"distill.teacher=" + teacher_, "distill.embedding=0"}, "distill.embedding");
  refuse({"distill.embedding=3"}, "distill.embedding");
  refuse({"compatible_with=" + teacher_, "backbone.embedding=8"}, "backbone.embedding: 16");
  refuse({"compatible_with=" + teacher_, "head.loss=uniface"}, "learnt threshold");
}

// Without it a new network's embeddings have nothing to do with the old one's. With it an old gallery can be searched:
// by the old classifier where the run is there, and by means of old embeddings where only a model is.
TEST_F(TermRuns, ACompatibleNetworkFindsItsPeopleAmongOldEmbeddings) {
  const std::vector<float> old = embeddings(teacher_);
  run_training(request("alone", 160, toy()), {});
  const auto [alone_same, alone_other] = across(embeddings(dir_ / "alone"), old);
  EXPECT_LT(std::abs(alone_same - alone_other), .4);
  for (const std::string& with : {teacher_, onnx_of("teacher").string()}) {
    const std::string out = with == teacher_ ? "by_run" : "by_file";
    run_training(request(out, 160, toy({"compatible_with=" + with, "compatible_weight=5"})), {});
    const auto [same, other] = across(embeddings(dir_ / out), old);
    EXPECT_GT(same - other, .6) << out;
    const std::vector<double> values = logged(out, "compatible");
    EXPECT_LT(values.back(), .3 * values.front()) << out;
    EXPECT_NE(load_checkpoint(last(out)).settings.at("compatible_with").find(with == teacher_ ? "classifier" : "means"),
              std::string::npos);
  }
}

TEST_F(TermRuns, ACompatibleRunIsResumedToTheByte) {
  const std::vector<std::string> compatible = {"compatible_with=" + onnx_of("teacher").string(),
                                               "compatible_weight=0.5",
                                               "head.loss=adaface"};  // with running numbers of its own
  run_training(request("whole", 8, compatible), {});
  stop_and_resume("stopped", 8, 3, compatible);
  expect_same_end("whole", "stopped");
}

TEST_F(TermRuns, ATeacherSeesTheFlippedPictureInItsOwnGeometry) {
  // The same geometry: the pixels as they are, so a flipped picture is a flipped picture.
  Guide guide({.model = teacher_}, FaceGeometry::unknown(16, 16), "distill.teacher", 1, false);
  std::vector<std::uint8_t> pixels(3 * 16 * 16);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37);
  const std::vector<float> mirrored =
      guide.engine().run(engine::to_input(pixels.data(), 1, guide.engine().contract(), true), 1);
  data::flip_horizontal(pixels.data(), 16, 16);
  EXPECT_EQ(guide.embed(pixels.data(), 1), mirrored);
}

TEST(Reframe, WarpsByTheFivePoints) {
  const FaceGeometry small = FaceGeometry::arcface(64), large = FaceGeometry::arcface(112);
  Reframe same(small, FaceGeometry::arcface(64), "x"), grow(small, large, "x");
  data::Image picture{64, 64, std::vector<std::uint8_t>(2 * 3 * 64 * 64)};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<std::uint8_t>(i * i / 7);
  EXPECT_EQ(same(picture.pixels.data(), 2), picture.pixels.data());
  // The second of two pictures, as the reader of unaligned pictures would warp it.
  const std::uint8_t* out = grow(picture.pixels.data(), 2);
  data::Image second{64, 64, {picture.pixels.begin() + 3 * 64 * 64, picture.pixels.end()}};
  std::vector<std::uint8_t> want(3 * 112 * 112);
  data::warp(second, *estimate_similarity(*small.points, *large.points), 112, 112, want.data());
  EXPECT_TRUE(std::equal(want.begin(), want.end(), out + 3 * 112 * 112));
  const Error e = error_of([&] { Reframe(FaceGeometry::unknown(64, 64), large, "distill.teacher: t.onnx"); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_NE(std::string(e.what()).find("arcface 112x112"), std::string::npos) << e.what();
}

}  // namespace
}  // namespace likeness::train
