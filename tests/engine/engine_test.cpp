#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/model_source.h"
#include "model/graph/interpreter.h"
#include "model/graph/onnx.h"
#include "tests/engine/small_model.h"
#include "tests/support/paths.h"

namespace likeness::engine {
namespace {

using test::error_of;
using test::read_file;
using test::save_small_model;
using test::small_model;
using test::TempDir;
using test::write_file;

constexpr const char* kCenter = "mean=127.5,127.5,127.5;std=127.5,127.5,127.5;order=rgb";

EngineOptions by_name(const std::string& name) {
  EngineOptions options;
  options.engine = name;
  return options;
}

std::string small_onnx() {
  const model::TrainedModel m = small_model();
  return model::to_onnx(m.graph, m.weights, m.contract, {});
}

// The same file without our contract, as someone else's exporter would write it: the key is renamed in place.
std::string foreign_onnx() {
  std::string bytes = small_onnx();
  for (std::size_t at = bytes.find("likeness."); at != std::string::npos; at = bytes.find("likeness.", at))
    bytes.replace(at, 9, "somebody.");
  return bytes;
}

// The same with its batch fixed: the dimension "batch" (field 2, a text) becomes a number (field 1) of as many bytes.
std::string fixed_batch_onnx(char batch) {
  const std::string symbol = std::string("\x12\x05", 2) + "batch";
  const std::string number{0x08, static_cast<char>(batch | 0x80), '\x80', '\x80', '\x80', '\x80', 0};
  std::string bytes = foreign_onnx();
  for (std::size_t at = bytes.find(symbol); at != std::string::npos; at = bytes.find(symbol))
    bytes.replace(at, symbol.size(), number);
  return bytes;
}

std::vector<float> noise(std::size_t n) {
  std::vector<float> v(n);
  Rng rng(5, Purpose::kTest);
  for (float& x : v) x = static_cast<float>(rng.uniform(-1, 1));
  return v;
}

class EveryEngine : public testing::TestWithParam<std::string> {};

TEST_P(EveryEngine, GivesWhatTheInterpreterGives) {
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  write_file(dir / "m.onnx", small_onnx());
  const model::TrainedModel m = small_model();
  const std::vector<float> input = noise(7 * 3 * 32 * 32);
  const std::vector<double> expected = model::Interpreter(m.graph, m.weights).run({input.begin(), input.end()}, 7);
  double scale = 0;
  for (double e : expected) scale = std::max(scale, std::abs(e));
  for (const char* file : {"m.safetensors", "m.onnx"}) {
    const std::unique_ptr<Engine> engine = open_engine(dir / file, by_name(GetParam()));
    EXPECT_EQ(engine->name(), GetParam());
    EXPECT_EQ(engine->contract().difference(m.contract), "");
    const std::vector<float> all = engine->run(input, 7);
    ASSERT_EQ(all.size(), 7u * 24);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_NEAR(all[i], expected[i], 2e-5 * scale) << file << " " << i;
    for (std::int64_t n : {1, 2, 3}) {  // batch sizes may change from call to call
      const std::vector<float> some =
          engine->run({input.begin(), input.begin() + static_cast<std::ptrdiff_t>(n * 3 * 32 * 32)}, n);
      ASSERT_EQ(some.size(), static_cast<std::size_t>(n) * 24);
      for (std::size_t i = 0; i < some.size(); ++i) EXPECT_NEAR(some[i], expected[i], 2e-5 * scale) << n;
    }
  }
}

TEST_P(EveryEngine, RunsAForeignFileOnceItsContractIsSaid) {
  const TempDir dir;
  write_file(dir / "foreign.onnx", foreign_onnx());
  EngineOptions options = by_name(GetParam());
  options.preprocess = Preprocess::parse("mean=1,2,3;std=4,5,6;order=bgr");
  options.geometry = "arcface";
  const std::unique_ptr<Engine> engine = open_engine(dir / "foreign.onnx", options);
  EXPECT_EQ(engine->contract().preprocess, *options.preprocess);
  EXPECT_TRUE(engine->contract().geometry.same_as(FaceGeometry::arcface(32)));
  EXPECT_EQ(engine->contract().dimension, 24);
  EXPECT_EQ(engine->contract().weights_hash.substr(0, 5), "file:");
}

std::vector<std::string> engines_here() {
  std::vector<std::string> names{"openvino", "opencv", "interpreter"};
#ifdef LIKENESS_HAS_TORCH
  names.push_back("torch");
#endif
  return names;
}
INSTANTIATE_TEST_SUITE_P(Engines, EveryEngine, testing::ValuesIn(engines_here()),
                         [](const auto& p) { return p.param; });

// Batches of 1 are freed where the graph allows it; larger ones are kept, and the last is padded.
TEST(OpenEngine, AFixedBatchTakesAnyNumberOfPictures) {
  const TempDir dir;
  const model::TrainedModel m = small_model();
  const std::vector<float> input = noise(7 * 3 * 32 * 32);
  const std::vector<double> expected = model::Interpreter(m.graph, m.weights).run({input.begin(), input.end()}, 7);
  for (char batch : {1, 3}) {
    write_file(dir / "fixed.onnx", fixed_batch_onnx(batch));
    ASSERT_EQ(model::onnx_info(dir / "fixed.onnx").input_shape[0], batch);
    for (const char* name : {"openvino", "opencv"}) {
      EngineOptions options = by_name(name);
      options.preprocess = Preprocess::parse(kCenter);
      options.geometry = "arcface";
      options.threads = 2;
      const std::unique_ptr<Engine> engine = open_engine(dir / "fixed.onnx", options);
      for (std::int64_t n : {1, 2, 3, 7}) {
        const std::vector<float> got =
            engine->run({input.begin(), input.begin() + static_cast<std::ptrdiff_t>(n * 3 * 32 * 32)}, n);
        ASSERT_EQ(got.size(), static_cast<std::size_t>(n) * 24) << name;
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4) << name << " " << n;
      }
    }
  }
}

TEST(OpenEngine, NamesAreThoseItOpens) {
  EXPECT_EQ(engine_names(), engines_here());
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  EXPECT_EQ(open_engine(dir / "m.safetensors", {})->name(), "openvino");
}

TEST(OpenEngine, SaysWhichEngineWasMeant) {
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  const Error e = error_of([&] { open_engine(dir / "m.safetensors", by_name("openvin")); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_NE(e.parts().hint.find("openvino"), std::string::npos) << e.what();
}

TEST(OpenEngine, OnlyTorchRunsOnCuda) {
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  EngineOptions options = by_name("opencv");
  options.device = "cuda:0";
  EXPECT_EQ(error_of([&] { open_engine(dir / "m.safetensors", options); }).kind(), ErrorKind::kUsage);
  options.device = "gpu";
  EXPECT_EQ(error_of([&] { open_engine(dir / "m.safetensors", options); }).kind(), ErrorKind::kUsage);
}

#ifndef LIKENESS_HAS_TORCH
TEST(OpenEngine, AMissingTorchModuleIsSaid) {
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  const Error e = error_of([&] { open_engine(dir / "m.safetensors", by_name("torch")); });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment);
  EXPECT_NE(std::string(e.what()).find("LIKENESS_TORCH"), std::string::npos) << e.what();
}
#endif

TEST(OpenEngine, AForeignFileMustSayHowItIsFed) {
  const TempDir dir;
  write_file(dir / "foreign.onnx", foreign_onnx());
  const Error e = error_of([&] { open_engine(dir / "foreign.onnx", {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  const std::string text = e.what();
  EXPECT_NE(text.find(std::string("--preprocess \"") + kCenter + "\" --geometry arcface"), std::string::npos) << text;
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 4);
  EngineOptions half;
  half.geometry = "arcface";
  EXPECT_EQ(error_of([&] { open_engine(dir / "foreign.onnx", half); }).kind(), ErrorKind::kUsage);
}

TEST(OpenEngine, OurOwnFileIsNotToBeContradicted) {
  const TempDir dir;
  save_small_model(dir / "m.safetensors");
  EngineOptions options;
  options.preprocess = Preprocess::parse(kCenter);
  options.geometry = "arcface:32";
  EXPECT_NO_THROW(open_engine(dir / "m.safetensors", options));
  options.preprocess = Preprocess::parse("mean=0,0,0;std=255,255,255;order=rgb");
  EXPECT_EQ(error_of([&] { open_engine(dir / "m.safetensors", options); }).kind(), ErrorKind::kUsage);
  options.preprocess.reset();
  options.geometry = "unknown";
  EXPECT_EQ(error_of([&] { open_engine(dir / "m.safetensors", options); }).kind(), ErrorKind::kUsage);
}

TEST(OpenEngine, DamagedAndMissingFilesAreBadData) {
  const TempDir dir;
  EXPECT_EQ(error_of([&] { open_engine(dir / "none.onnx", {}); }).kind(), ErrorKind::kData);
  std::string bytes = small_onnx();
  write_file(dir / "cut.onnx", bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(error_of([&] { open_engine(dir / "cut.onnx", {}); }).kind(), ErrorKind::kData);
  write_file(dir / "empty.onnx", "");
  EXPECT_EQ(error_of([&] { open_engine(dir / "empty.onnx", {}); }).kind(), ErrorKind::kData);
}

TEST(OpenEngine, WeightsAreNotTakenOnTrust) {
  const TempDir dir;
  const model::TrainedModel m = small_model(), other = small_model(2);
  std::string bytes = model::to_onnx(other.graph, other.weights, other.contract, {});
  const std::string truth = other.contract.weights_hash, claim = m.contract.weights_hash;
  for (std::size_t at = bytes.find(truth); at != std::string::npos; at = bytes.find(truth))
    bytes.replace(at, truth.size(), claim);
  write_file(dir / "claims.onnx", bytes);
  const Error e = error_of([&] { open_engine(dir / "claims.onnx", {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_EQ(e.parts().expected, m.contract.weights_hash);
}

TEST(ParseGeometry, KnowsItsForms) {
  EXPECT_TRUE(parse_geometry("arcface", 112, 112, "t").same_as(FaceGeometry::arcface(112)));
  EXPECT_TRUE(parse_geometry("arcface", 64, 64, "t").same_as(FaceGeometry::arcface(64)));
  EXPECT_TRUE(parse_geometry("arcface:128", -1, -1, "t").same_as(FaceGeometry::arcface(128)));
  EXPECT_TRUE(parse_geometry("arcface", -1, -1, "t").same_as(FaceGeometry::arcface(112)));
  EXPECT_FALSE(parse_geometry("unknown", 96, 64, "t").points.has_value());
  const FaceGeometry five = parse_geometry("20.1,33.2 43.3,33.2 31.4,47.4 21.9,57.5 41.5,57.5", 64, 64, "t");
  EXPECT_DOUBLE_EQ(five.points->at(2).y, 47.4);
  for (const char* bad : {"arcfac", "arcface:", "arcface:12x", "arcface:96", "arcface112", "", "1,2 3,4"})
    EXPECT_EQ(error_of([&] { parse_geometry(bad, 112, 112, "t"); }).kind(), ErrorKind::kUsage) << bad;
  EXPECT_EQ(error_of([&] { parse_geometry("unknown", -1, -1, "t"); }).kind(), ErrorKind::kUsage);
}

}  // namespace
}  // namespace likeness::engine
