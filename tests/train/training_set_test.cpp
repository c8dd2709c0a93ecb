// What is refused before the first step, and which geometry a network is trained on.
#include "train/training_set.h"

#include <gtest/gtest.h>

#include "tests/train/toy_set.h"
#include "train/input_geometry.h"

namespace likeness::train {
namespace {

class FakeSource : public data::FaceSource {
 public:
  std::vector<std::int64_t> labels{0, 1, 2, 0};
  std::int64_t classes = 3;
  FaceGeometry stored = FaceGeometry::custom(64, 64, FaceGeometry::arcface(64).points.value());
  bool has_landmarks = false;

  std::int64_t size() const override { return static_cast<std::int64_t>(labels.size()); }
  std::span<const std::byte> encoded(std::int64_t, std::vector<std::byte>&) const override { return {}; }
  std::int64_t label(std::int64_t i) const override { return labels.at(static_cast<std::size_t>(i)); }
  std::int64_t identities() const override { return classes; }
  std::string identity_name(std::int64_t) const override { return ""; }
  std::string key(std::int64_t i) const override { return "record " + std::to_string(i); }
  FaceGeometry geometry() const override { return stored; }
  std::optional<Landmarks> landmarks(std::int64_t) const override {
    return has_landmarks ? FaceGeometry::arcface(112).points : std::nullopt;
  }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return ""; }
  std::filesystem::path path() const override { return "fake.rec"; }
};

Error refusal(const FakeSource& source, std::int64_t batch = 2) {
  return test::error_of([&] { check_training_set(source, batch); });
}

TEST(TrainingSet, AGoodOnePasses) { EXPECT_NO_THROW(check_training_set(FakeSource(), 4)); }

TEST(TrainingSet, ALabelOutsideTheIdentitiesNamesItsRecord) {
  for (std::int64_t bad : {std::int64_t{3}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    FakeSource s;
    s.labels[2] = bad;
    const Error e = refusal(s);
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    EXPECT_EQ(e.parts().where, "fake.rec, record 2");
    EXPECT_EQ(e.parts().expected, "0 … 2");
  }
}

TEST(TrainingSet, EmptyOneIdentityAndTooSmallAreRefused) {
  FakeSource s;
  s.classes = 1, s.labels = {0, 0};
  EXPECT_NE(refusal(s).parts().what.find("one identity"), std::string::npos);
  s.labels = {};
  EXPECT_NE(refusal(s).parts().what.find("empty"), std::string::npos);
  EXPECT_NE(refusal(FakeSource(), 5).parts().what.find("batch"), std::string::npos);
}

FaceGeometry geometry(const FakeSource& s, int input, GeometryChoice choice) {
  Recipe r;
  r.input = input, r.geometry = choice;
  return input_geometry(r, s);
}

TEST(InputGeometry, AutoTakesPicturesAsTheyAreOrTheFieldsTemplate) {
  const FakeSource s;
  EXPECT_TRUE(geometry(s, 64, GeometryChoice::kAuto).same_as(s.stored));
  EXPECT_TRUE(geometry(s, 0, GeometryChoice::kAuto).same_as(s.stored));
  EXPECT_TRUE(geometry(s, 112, GeometryChoice::kAuto).same_as(FaceGeometry::arcface(112)));
  EXPECT_TRUE(geometry(s, 64, GeometryChoice::kArcface).same_as(FaceGeometry::arcface(64)));
  FakeSource loose;
  loose.stored = FaceGeometry::unknown(250, 250), loose.has_landmarks = true;
  EXPECT_TRUE(geometry(loose, 112, GeometryChoice::kAuto).same_as(FaceGeometry::arcface(112)));
}

TEST(InputGeometry, AnotherSizeThanAskedIsRefusedNamingBoth) {
  const Error e = test::error_of([] { geometry(FakeSource(), 112, GeometryChoice::kPictures); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(e.parts().expected.find("112x112"), std::string::npos);
  EXPECT_NE(e.parts().got.find("64x64"), std::string::npos);
}

TEST(InputGeometry, UnknownNeedsToBeSaid) {
  FakeSource s;
  s.stored = FaceGeometry::unknown(64, 64);
  const Error e = test::error_of([&] { geometry(s, 64, GeometryChoice::kAuto); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(e.parts().hint.find("geometry: unknown"), std::string::npos);
  EXPECT_TRUE(geometry(s, 64, GeometryChoice::kUnknown).same_as(s.stored));
}

}  // namespace
}  // namespace likeness::train
