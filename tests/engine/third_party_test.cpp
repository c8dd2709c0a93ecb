// A network that others trained and exported, on real faces (LIKENESS_FACES, laid out as tests/e2e/faces_walk_test.cpp
// says).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "engine/engine.h"
#include "tests/engine/small_model.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness::engine {
namespace {

std::filesystem::path third_party(const std::string& name) { return *test::faces() / "third-party" / name; }

EngineOptions image_net(const std::string& engine) {
  EngineOptions options;
  options.engine = engine;
  options.preprocess = Preprocess::parse("mean=123.675,116.28,103.53;std=58.395,57.12,57.375;order=rgb");
  options.geometry = "arcface";
  return options;
}

double cosine(const float* a, const float* b, std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) ab += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
  return ab / std::sqrt(aa * bb);
}

// Unicode text of NumPy ("<U80"): four bytes a character.
std::vector<std::string> texts(const test::Array& a) {
  const std::size_t width = std::stoul(a.dtype.substr(2));
  std::vector<std::string> out(static_cast<std::size_t>(a.elements()));
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t c = 0; c < width; ++c) {
      const char letter = static_cast<char>(a.data[(i * width + c) * 4]);
      if (letter != 0) out[i] += letter;
    }
  return out;
}

// LFW's folder with the five points of its landmarks.csv ("path,left_eye_x,left_eye_y,…").
class Lfw : public data::FaceSource {
 public:
  explicit Lfw(const std::filesystem::path& folder) : folder_(data::open_faces(folder)) {
    std::ifstream csv(folder / "landmarks.csv");
    std::string line, cell;
    for (std::getline(csv, line); std::getline(csv, line);) {
      std::istringstream cells(line);
      std::string path;
      std::getline(cells, path, ',');
      Landmarks points;
      for (Point& p : points) {
        std::getline(cells, cell, ',');
        p.x = std::stod(cell);
        std::getline(cells, cell, ',');
        p.y = std::stod(cell);
      }
      points_[path] = points;
    }
  }
  std::int64_t size() const override { return folder_->size(); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>& scratch) const override {
    return folder_->encoded(i, scratch);
  }
  std::int64_t label(std::int64_t i) const override { return folder_->label(i); }
  std::int64_t identities() const override { return folder_->identities(); }
  std::string identity_name(std::int64_t label) const override { return folder_->identity_name(label); }
  std::string key(std::int64_t i) const override { return folder_->key(i); }
  FaceGeometry geometry() const override { return folder_->geometry(); }
  std::optional<Landmarks> landmarks(std::int64_t i) const override { return points_.at("images/" + name(i)); }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return ""; }
  std::filesystem::path path() const override { return folder_->path(); }
  // "Aaron_Eckhart/Aaron_Eckhart_0001.jpg"
  std::string name(std::int64_t i) const {
    const std::filesystem::path key = folder_->key(i);
    return (key.parent_path().filename() / key.filename()).string();
  }

 private:
  std::unique_ptr<data::FaceSource> folder_;
  std::map<std::string, Landmarks> points_;
};

TEST(ThirdParty, EmbeddingsOfLfwAreThoseItsMakersGet) {
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const test::Npz theirs(third_party("lfw-embeddings.npz"));
  const std::vector<std::string> paths = texts(theirs.at("path"));
  const std::vector<float> known = theirs.at("embedding").as_float();
  const Lfw lfw(*test::faces() / "lfw");
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < lfw.size(); i += 97) rows.push_back(i);
  const std::unique_ptr<Engine> engine = open_engine(third_party("mobilefacenet-128d.onnx"), image_net("openvino"));
  const EmbeddingArchive ours = embed(*engine, lfw, {}, &rows);
  std::vector<double> cosines;
  for (std::size_t k = 0; k < ours.size(); ++k) {
    const std::string name = lfw.name(rows[k]);
    const auto at = std::find(paths.begin(), paths.end(), name);
    ASSERT_NE(at, paths.end()) << name;
    const float* row = known.data() + (at - paths.begin()) * 128;
    if (row[0] != 0) cosines.push_back(cosine(ours.embeddings.data() + k * 128, row, 128));
  }
  ASSERT_GE(cosines.size(), 70u);
  std::sort(cosines.begin(), cosines.end());
  const double median = cosines[cosines.size() / 2];
  RecordProperty("median_cosine", std::to_string(median));
  RecordProperty("lowest_cosine", std::to_string(cosines.front()));
  // Their landmarks come from a detector, ours from landmarks.csv: the crops differ by a pixel or two, and strangers
  // score below 0.3.
  EXPECT_GT(median, 0.9) << "lowest " << cosines.front();
  EXPECT_GT(cosines[cosines.size() / 20], 0.6);
}

TEST(ThirdParty, TheVariantForOpenCvRunsThereAndAgrees) {
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const std::unique_ptr<Engine> opencv =
      open_engine(third_party("mobilefacenet-128d-opencv46.onnx"), image_net("opencv"));
  const std::unique_ptr<Engine> openvino = open_engine(third_party("mobilefacenet-128d.onnx"), image_net("openvino"));
  std::vector<float> input(3 * 3 * 112 * 112);
  Rng rng(1, Purpose::kTest);
  for (float& v : input) v = static_cast<float>(rng.uniform(-2, 2));
  const std::vector<float> a = opencv->run(input, 3), b = openvino->run(input, 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(cosine(a.data() + i * 128, b.data() + i * 128, 128), 1 - 1e-6);
}

TEST(ThirdParty, AFileThatAnEngineMisreadsIsRefused) {
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const Error e =
      test::error_of([&] { open_engine(third_party("mobilefacenet-128d-opencv46.onnx"), image_net("openvino")); });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment) << e.what();
  EXPECT_NE(std::string(e.what()).find("opencv"), std::string::npos) << e.what();
}

TEST(ThirdParty, AFileThatOpenCvCannotLoadIsSaidInItsWords) {
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const Error e = test::error_of([&] { open_engine(third_party("mobilefacenet-128d.onnx"), image_net("opencv")); });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment) << e.what();
  EXPECT_NE(e.parts().got.find("OpenCV"), std::string::npos) << e.what();
}

TEST(ThirdParty, TheInterpreterRunsItAndAgrees) {
  if (!test::faces()) GTEST_SKIP() << test::kNoFaces;
  const std::unique_ptr<Engine> oracle = open_engine(third_party("mobilefacenet-128d.onnx"), image_net("interpreter"));
  const std::unique_ptr<Engine> openvino = open_engine(third_party("mobilefacenet-128d.onnx"), image_net("openvino"));
  std::vector<float> input(2 * 3 * 112 * 112);
  Rng rng(2, Purpose::kTest);
  for (float& v : input) v = static_cast<float>(rng.uniform(-2, 2));
  const std::vector<float> a = oracle->run(input, 2), b = openvino->run(input, 2);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_GT(cosine(a.data() + i * 128, b.data() + i * 128, 128), 1 - 1e-6);
}

}  // namespace
}  // namespace likeness::engine
