// The real sets of the walk in the README, where LIKENESS_FACES names them.
#include <gtest/gtest.h>

#include "data/faces_file.h"
#include "data/import.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

TEST(RealFaces, CelebA) {
  const auto faces_folder = faces();
  if (!faces_folder) GTEST_SKIP() << kNoFaces;
  TempDir dir;
  const auto set = *faces_folder / "celeba64-train";
  const auto source = open_faces(set);
  ImportOptions options;
  options.attributes = set / "images.csv";
  options.points = "20.1,33.2 43.3,33.2 31.4,47.4 21.9,57.5 41.5,57.5";
  const auto report = import_faces(*source, dir / "c.faces.h5", IfExists::kRefuse, options);
  EXPECT_EQ(report.written.pictures, 49985);
  EXPECT_EQ(report.written.identities, 5585);
  EXPECT_EQ(report.attribute_rows->rows_without_picture, 0);
  EXPECT_EQ(report.attribute_rows->pictures_without_row, 0);
  const auto file = open_faces_file(dir / "c.faces.h5");
  EXPECT_EQ(file->digest(), source->digest());
  EXPECT_EQ(file->picture_size(49984), (PictureSize{64, 64}));
}

TEST(RealFaces, LfwWithLandmarks) {
  const auto faces_folder = faces();
  if (!faces_folder) GTEST_SKIP() << kNoFaces;
  TempDir dir;
  const auto set = *faces_folder / "lfw";
  ImportOptions options;
  options.attributes = set / "demographics.csv";
  options.landmarks = set / "landmarks.csv";
  const auto report = import_faces(*open_faces(set), dir / "l.faces.h5", IfExists::kRefuse, options);
  EXPECT_EQ(report.written.pictures, 7701);
  EXPECT_EQ(report.attribute_rows->rows_without_picture, 0);
  const auto file = open_faces(dir / "l.faces.h5");
  EXPECT_EQ(file->key(0), "images/AJ_Lamas/AJ_Lamas_0001.jpg");
  std::vector<std::uint8_t> crop(112 * 112 * 3);
  CropReader reader(*file, FaceGeometry::arcface(112));
  for (std::int64_t i = 0; i < file->size(); i += 100) reader.read(i, crop.data());
}

TEST(RealFaces, ADistributedPackOpens) {
  const auto faces_folder = faces();
  if (!faces_folder) GTEST_SKIP() << kNoFaces;
  const auto source = open_faces(*faces_folder / "third-party/small_lfw.bin");
  EXPECT_EQ(source->size(), 20);
  EXPECT_EQ(source->pairs().size(), 10u);
}

}  // namespace
}  // namespace likeness::test
