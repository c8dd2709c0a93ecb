#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/signals.h"
#include "engine/engine.h"
#include "tests/engine/small_model.h"

namespace likeness::engine {
namespace {

using test::MemorySource;

// Answers with the mean of channel 0, and the mean of its left half: one number a flip keeps, one it changes.
class MeanEngine : public Engine {
 public:
  explicit MeanEngine(FaceGeometry geometry = FaceGeometry::arcface(32)) {
    contract_.geometry = std::move(geometry);
    contract_.dimension = 2;
  }
  std::string name() const override { return "mean"; }
  const ModelContract& contract() const override { return contract_; }
  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override {
    const std::size_t w = static_cast<std::size_t>(contract_.geometry.width),
                      h = static_cast<std::size_t>(contract_.geometry.height);
    std::vector<float> out;
    largest_batch = std::max(largest_batch, n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      double all = 0, left = 0;
      for (std::size_t p = 0; p < w * h; ++p) {
        const double v = input[i * 3 * w * h + p];
        all += v;
        if (p % w < w / 2) left += v;
      }
      out.push_back(all > poison ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(all / double(w * h)));
      out.push_back(static_cast<float>(left / double(w * h / 2)));
    }
    return out;
  }
  double poison = HUGE_VAL;
  std::int64_t largest_batch = 0;

 private:
  ModelContract contract_;
};

TEST(Embed, RowsFollowThePictures) {
  const MemorySource source(11);
  MeanEngine engine;
  EmbedOptions options;
  options.batch = 4;
  const EmbeddingArchive a = embed(engine, source, options);
  ASSERT_EQ(a.size(), 11u);
  EXPECT_EQ(a.dimension, 2);
  EXPECT_EQ(engine.largest_batch, 4);
  EXPECT_EQ(a.keys[10], "picture 10");
  EXPECT_EQ(a.subjects[10], 5);
  EXPECT_EQ(a.subject_names[5], "person 5");
  EXPECT_EQ(a.data_digest, source.digest());
  EXPECT_EQ(a.contract.flip, "none");
  ASSERT_NE(a.attributes.find("gender"), nullptr);
  EXPECT_EQ(a.attributes.find("gender")->codes, source.attributes().columns[0].codes);
  for (std::size_t i = 0; i < 11; ++i) {
    EXPECT_EQ(a.failed[i], 0);
    EXPECT_NEAR(a.norms[i], std::hypot(a.embeddings[2 * i], a.embeddings[2 * i + 1]), 1e-6);
  }
}

TEST(Embed, DoesNotDependOnBatchOrThreads) {
  const MemorySource source(23);
  MeanEngine engine;
  EmbedOptions options;
  options.batch = 1;
  const EmbeddingArchive one = embed(engine, source, options);
  options.batch = 7;
  options.threads = 32;
  const EmbeddingArchive seven = embed(engine, source, options);
  EXPECT_EQ(one.embeddings, seven.embeddings);
  EXPECT_EQ(one.norms, seven.norms);
}

TEST(Embed, OnlyRowsInTheirOrder) {
  const MemorySource source(9);
  MeanEngine engine;
  const EmbeddingArchive all = embed(engine, source, {});
  const std::vector<std::int64_t> rows{7, 0, 7, 4};
  const EmbeddingArchive some = embed(engine, source, {}, &rows);
  ASSERT_EQ(some.size(), 4u);
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::size_t i = static_cast<std::size_t>(rows[k]);
    EXPECT_EQ(some.embeddings[2 * k], all.embeddings[2 * i]);
    EXPECT_EQ(some.keys[k], all.keys[i]);
    EXPECT_EQ(some.subjects[k], all.subjects[i]);
    EXPECT_EQ(some.attributes.columns[0].codes[k], all.attributes.columns[0].codes[i]);
  }
  const std::vector<std::int64_t> beyond{9};
  EXPECT_EQ(test::error_of([&] { embed(engine, source, {}, &beyond); }).kind(), ErrorKind::kData);
  const std::vector<std::int64_t> none;
  EXPECT_EQ(test::error_of([&] { embed(engine, source, {}, &none); }).kind(), ErrorKind::kData);
}

TEST(Embed, FlipSumAddsTheMirroredPictures) {
  const MemorySource source(3);
  MeanEngine engine;
  EmbedOptions options;
  const EmbeddingArchive plain = embed(engine, source, options);
  options.flip = "sum";
  const EmbeddingArchive sum = embed(engine, source, options);
  EXPECT_EQ(sum.contract.flip, "sum");
  for (std::size_t i = 0; i < 3; ++i) {
    const double all = plain.embeddings[2 * i], left = plain.embeddings[2 * i + 1], right = 2 * all - left;
    EXPECT_NEAR(sum.embeddings[2 * i], 2 * all, 1e-5);
    EXPECT_NEAR(sum.embeddings[2 * i + 1], left + right, 1e-5);
    EXPECT_NEAR(sum.norms[i], (std::hypot(all, left) + std::hypot(all, right)) / 2, 1e-5);
    EXPECT_GT(std::abs(left - right), 0.05) << "the pictures must not be symmetric for this test to mean anything";
  }
}

TEST(Embed, AnUnreadablePictureIsAnErrorOrAFailedRow) {
  MemorySource source(6);
  source.damage(3);
  MeanEngine engine;
  EmbedOptions options;
  options.batch = 4;
  const Error e = test::error_of([&] { embed(engine, source, options); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(std::string(e.what()).find("picture 3"), std::string::npos) << e.what();
  options.skip_bad = true;
  const EmbeddingArchive a = embed(engine, source, options);
  const EmbeddingArchive good = embed(engine, MemorySource(6), options);
  EXPECT_EQ(a.failed, (std::vector<std::uint8_t>{0, 0, 0, 1, 0, 0}));
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(a.embeddings[2 * i], i == 3 ? 0.0f : good.embeddings[2 * i]) << i;
    EXPECT_EQ(a.norms[i], i == 3 ? 0.0f : good.norms[i]) << i;
  }
}

TEST(Embed, AWholeBatchOfUnreadablePictures) {
  MemorySource source(4);
  source.damage(0);
  source.damage(1);
  MeanEngine engine;
  EmbedOptions options;
  options.batch = 2;
  options.skip_bad = true;
  EXPECT_EQ(embed(engine, source, options).failed, (std::vector<std::uint8_t>{1, 1, 0, 0}));
}

TEST(Embed, NamesThePictureWhoseEmbeddingIsNotFinite) {
  const MemorySource source(20);
  MeanEngine engine;
  const EmbeddingArchive a = embed(engine, source, {});
  std::size_t brightest = 0;
  for (std::size_t i = 0; i < 20; ++i)
    if (a.embeddings[2 * i] > a.embeddings[2 * brightest]) brightest = i;
  engine.poison = a.embeddings[2 * brightest] * 32 * 32 - 1;
  const Error e = test::error_of([&] { embed(engine, source, {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_EQ(e.parts().where, "picture " + std::to_string(brightest));
}

TEST(Embed, RefusesAnotherGeometryAndNamesBoth) {
  const MemorySource source(2, FaceGeometry::unknown(32, 32));
  MeanEngine engine;
  const Error e = test::error_of([&] { embed(engine, source, {}); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_EQ(e.parts().expected, engine.contract().geometry.describe());
  EXPECT_EQ(e.parts().got, source.geometry().describe());

  EmbedOptions options;
  options.skip_bad = true;  // a wrong geometry is not a bad picture
  EXPECT_EQ(test::error_of([&] { embed(engine, source, options); }).kind(), ErrorKind::kData);

  options.assume_aligned = true;
  EXPECT_EQ(embed(engine, source, options).embeddings, embed(engine, MemorySource(2), {}).embeddings);
  const MemorySource larger(2, FaceGeometry::unknown(48, 48));
  EXPECT_EQ(test::error_of([&] { embed(engine, larger, options); }).kind(), ErrorKind::kData);
}

TEST(Embed, ANetworkOfUnknownGeometryTakesPicturesOfItsSize) {
  const MemorySource source(2, FaceGeometry::unknown(32, 32));
  MeanEngine engine(FaceGeometry::unknown(32, 32));
  EXPECT_EQ(embed(engine, source, {}).size(), 2u);
  const MemorySource larger(2, FaceGeometry::unknown(48, 48));
  EXPECT_EQ(test::error_of([&] { embed(engine, larger, {}); }).kind(), ErrorKind::kData);
  const MemorySource known(2, FaceGeometry::arcface(32));
  EXPECT_EQ(test::error_of([&] { embed(engine, known, {}); }).kind(), ErrorKind::kData);
}

TEST(Embed, WarpsKnownPointsToTheModelsGeometry) {
  const MemorySource source(2, FaceGeometry::arcface(64));
  MeanEngine engine;
  const EmbeddingArchive a = embed(engine, source, {});
  EXPECT_NE(a.embeddings[0], 0.0f);
  // Landmarks of its own override the set's points: the same face, said to be 8 pixels further right, gives another
  // crop.
  MemorySource shifted(2, FaceGeometry::arcface(64));
  Landmarks points = *FaceGeometry::arcface(64).points;
  for (Point& p : points) p.x += 8;
  shifted.set_landmarks(points);
  EXPECT_NE(embed(engine, shifted, {}).embeddings, a.embeddings);
}

TEST(Embed, StopsWhenAskedTo) {
  const MemorySource source(4);
  MeanEngine engine;
  set_stop_signal(2);
  EXPECT_THROW(embed(engine, source, {}), Interrupted);
  set_stop_signal(0);
}

TEST(Embed, ReportsProgressToTheEnd) {
  const MemorySource source(5);
  MeanEngine engine;
  EmbedOptions options;
  options.batch = 2;
  std::vector<std::int64_t> seen;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(total, 5);
    seen.push_back(done);
  };
  embed(engine, source, options);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{2, 4, 5}));
}

}  // namespace
}  // namespace likeness::engine
