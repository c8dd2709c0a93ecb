#include "data/import.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/signals.h"
#include "data/crop.h"
#include "data/info.h"
#include "data/view.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

constexpr const char* kPoints = "10,12 22,12 16,18 11,24 21,24";

class Import : public ::testing::Test {
 protected:
  ImportReport import(const std::filesystem::path& set, const ImportOptions& options = {}) {
    return import_faces(*open_faces(set), out_, IfExists::kReplace, options);
  }
  ErrorParts refusal(ErrorKind kind, const std::filesystem::path& set, const ImportOptions& options = {}) {
    const auto parts = error_of(kind, [&] { import(set, options); });
    EXPECT_FALSE(std::filesystem::exists(out_));
    for (const std::string& name : files_in(dir_.path())) EXPECT_EQ(name.find("partial"), std::string::npos) << name;
    return parts;
  }
  TempDir dir_;
  std::filesystem::path out_ = dir_ / "out.faces.h5";
};

TEST_F(Import, EveryStoreKeepsItsPicturesLabelsAndDigest) {
  write_folder(dir_ / "folder", 3, 2);
  write_records(dir_ / "rec", {2, 0, 1, 1});
  for (const auto& set :
       {dir_ / "folder", dir_ / "rec", golden("formats/rec_insightface"), golden("formats/bin/numpy2_proto5.bin")}) {
    const auto source = open_faces(set);
    const ImportReport report = import(set);
    const auto file = open_faces_file(out_);
    EXPECT_EQ(file->digest(), source->digest()) << set;
    EXPECT_EQ(file->size(), source->size());
    EXPECT_EQ(file->identities(), source->identities());
    for (std::int64_t i = 0; i < file->size(); ++i) {
      EXPECT_EQ(file->key(i), source->key(i));
      EXPECT_EQ(file->label(i), source->label(i));
    }
    EXPECT_EQ(file->pairs().size(), source->pairs().size());
    EXPECT_EQ(nlohmann::json::parse(file->provenance())["source"], source->path().filename().string());
    EXPECT_EQ(report.skipped, 0);
  }
}

TEST_F(Import, AContainerImportsIntoTheSameContainer) {
  write_folder(dir_ / "folder", 3, 2);
  ImportOptions options;
  options.points = kPoints;
  const auto first = import(dir_ / "folder", options);
  std::filesystem::rename(out_, dir_ / "first.faces.h5");
  const auto second = import(dir_ / "first.faces.h5");
  EXPECT_EQ(second.written.digest, first.written.digest);
  EXPECT_TRUE(second.geometry.same_as(first.geometry));
}

TEST_F(Import, GeometryIsWhatTheUserSays) {
  write_folder(dir_ / "folder", 2, 1);
  EXPECT_FALSE(import(dir_ / "folder").geometry.points);
  ImportOptions points;
  points.points = kPoints;
  EXPECT_EQ((*import(dir_ / "folder", points).geometry.points)[1].x, 22);
  ImportOptions arcface;
  arcface.geometry = "arcface";
  EXPECT_TRUE(import(dir_ / "folder", arcface).geometry.same_as(FaceGeometry::arcface(32)));
  EXPECT_TRUE(open_faces(out_)->geometry().same_as(FaceGeometry::arcface(32)));
  std::filesystem::remove(out_);
  arcface.points = kPoints;
  refusal(ErrorKind::kUsage, dir_ / "folder", arcface);
  ImportOptions other;
  other.geometry = "mine";
  refusal(ErrorKind::kUsage, dir_ / "folder", other);
  points.points = "1,2 3";
  refusal(ErrorKind::kUsage, dir_ / "folder", points);
}

TEST_F(Import, PointsForAllNeedOneSize) {
  write_folder(dir_ / "folder", 2, 1);
  write_bytes(dir_ / "folder/person0/9.jpg", small_jpeg(9, 48, 32));
  ImportOptions options;
  options.points = kPoints;
  EXPECT_EQ(refusal(ErrorKind::kData, dir_ / "folder", options).what, "pictures have different sizes");
  EXPECT_EQ(import(dir_ / "folder").geometry.describe(), FaceGeometry::unknown(0, 0).describe());
}

TEST_F(Import, PicturesWithSharedPointsAreWarpedToAnotherGeometry) {
  write_folder(dir_ / "folder", 1, 1);
  ImportOptions options;
  options.points = kPoints;
  import(dir_ / "folder", options);
  const auto file = open_faces(out_);
  const FaceGeometry target = FaceGeometry::arcface(56);
  std::vector<std::uint8_t> read(56 * 56 * 3), expected(read.size());
  CropReader(*file, target).read(0, read.data());
  warp(decode(small_jpeg(0), ""), *estimate_similarity(parse_points(kPoints, ""), *target.points), 56, 56,
       expected.data());
  EXPECT_EQ(read, expected);
}

TEST_F(Import, LandmarksTravelAndAlign) {
  write_folder(dir_ / "folder", 2, 1);
  write_text(dir_ / "l.csv",
             "path,a,b,c,d,e,f,g,h,i,j\nfolder/person0/0.jpg,10,12,22,12,16,18,11,24,21,24\nfolder/person1/"
             "0.jpg,1,2,3,4,5,6,7,8,9,10\n");
  ImportOptions options;
  options.landmarks = dir_ / "l.csv";
  const auto report = import(dir_ / "folder", options);
  EXPECT_TRUE(report.has_landmarks);
  EXPECT_EQ(report.landmark_rows->rows, 2);
  const auto file = open_faces(out_);
  EXPECT_EQ((*file->landmarks(0))[2].y, 18);
  std::vector<std::uint8_t> crop(112 * 112 * 3);
  CropReader(*file, FaceGeometry::arcface(112)).read(0, crop.data());
  std::filesystem::remove(out_);
  // A picture without a row is a bad picture.
  write_text(dir_ / "l.csv", "path,a,b,c,d,e,f,g,h,i,j\nfolder/person1/0.jpg,10,12,22,12,16,18,11,24,21,24\n");
  expect_part(refusal(ErrorKind::kData, dir_ / "folder", options).where, "person0/0.jpg");
  options.on_bad = OnBad::kSkip;
  const auto skipped = import(dir_ / "folder", options);
  EXPECT_EQ(skipped.skipped, 1);
  EXPECT_EQ(open_faces(out_)->key(0), "person1/0.jpg");
}

TEST_F(Import, CoincidingLandmarksAreAnErrorWhenTheyAreUsed) {
  write_folder(dir_ / "folder", 1, 1);
  write_text(dir_ / "l.csv", "path,a,b,c,d,e,f,g,h,i,j\nfolder/person0/0.jpg,5,5,5,5,5,5,5,5,5,5\n");
  ImportOptions options;
  options.landmarks = dir_ / "l.csv";
  import(dir_ / "folder", options);
  const auto file = open_faces(out_);
  std::vector<std::uint8_t> crop(112 * 112 * 3);
  CropReader reader(*file, FaceGeometry::arcface(112));
  expect_part(error_of(ErrorKind::kData, [&] { reader.read(0, crop.data()); }).where, "person0/0.jpg");
}

TEST_F(Import, ABadPictureFailsTheImportAndIsNamed) {
  for (int threads : {1, 4}) {
    write_folder(dir_ / "folder", 3, 2);
    write_text(dir_ / "folder/person1/0.jpg", "not a picture");
    write_text(dir_ / "folder/person2/1.jpg", "");
    ImportOptions options;
    options.threads = threads;
    const auto parts = refusal(ErrorKind::kData, dir_ / "folder", options);
    expect_part(parts.where, "person1/0.jpg");  // the first, whatever the threads do
    expect_part(parts.got, "13 bytes starting 6e 6f 74 20");
  }
}

TEST_F(Import, SkippingCountsAndListsBadPictures) {
  write_folder(dir_ / "folder", 3, 2);
  write_text(dir_ / "folder/person1/0.jpg", "not a picture");
  Bytes cut = small_jpeg(0);
  cut.resize(cut.size() - 100);  // its header is intact: the missing end is what tells
  write_bytes(dir_ / "folder/person2/1.jpg", cut);
  write_text(dir_ / "a.csv", "path,shade\nfolder/person1/1.jpg,dark\nfolder/person2/0.jpg,light\n");
  ImportOptions options;
  options.on_bad = OnBad::kSkip;
  options.attributes = dir_ / "a.csv";
  const auto report = import(dir_ / "folder", options);
  EXPECT_EQ(report.skipped, 2);
  ASSERT_EQ(report.reasons.size(), 2u);
  expect_part(report.reasons[0], "person1/0.jpg");
  expect_part(report.reasons[1], "person2/1.jpg");
  const auto file = open_faces(out_);
  ASSERT_EQ(file->size(), 4);
  EXPECT_EQ(file->identities(), 3);
  EXPECT_EQ(file->attributes().find("shade")->text(2), "dark");  // rows moved up with their pictures
  EXPECT_EQ(file->attributes().find("shade")->text(3), "light");
}

TEST_F(Import, DamageInsideAPictureIsFoundByVerify) {
  write_folder(dir_ / "folder", 1, 2);
  Bytes jpeg = small_jpeg(0, 64, 64);
  for (std::size_t i = jpeg.size() / 2; i < jpeg.size() / 2 + 60; ++i) jpeg[i] = std::byte{0xff};
  write_bytes(dir_ / "folder/person0/0.jpg", jpeg);
  EXPECT_EQ(import(dir_ / "folder").written.pictures, 2);
  std::filesystem::remove(out_);
  ImportOptions options;
  options.verify = true;
  expect_part(refusal(ErrorKind::kData, dir_ / "folder", options).where, "person0/0.jpg");
}

TEST_F(Import, NothingGoodIsAnError) {
  write_text(dir_ / "folder/person0/0.jpg", "not a picture");
  ImportOptions options;
  options.on_bad = OnBad::kSkip;
  EXPECT_EQ(refusal(ErrorKind::kData, dir_ / "folder", options).what, "not one picture of the set is good");
  std::filesystem::create_directories(dir_ / "empty");
  EXPECT_EQ(refusal(ErrorKind::kData, dir_ / "empty").what, "set of faces is empty");
}

TEST_F(Import, ABadRecordCanBeSkippedToo) {
  write_records(dir_ / "rec", {0, 0, 1});
  Bytes rec = read_bytes(dir_ / "rec/train.rec");
  const std::string idx = likeness::read_text(dir_ / "rec/train.idx");
  const std::size_t second = std::stoul(idx.substr(idx.find("1\t") + 2));
  rec[second] = std::byte{0};  // its magic
  write_bytes(dir_ / "rec/train.rec", rec);
  write_text(dir_ / "rec/property", "2,32,32\n");
  expect_part(refusal(ErrorKind::kData, dir_ / "rec").where, "record 1 at byte " + std::to_string(second));
  ImportOptions options;
  options.on_bad = OnBad::kSkip;
  EXPECT_EQ(import(dir_ / "rec", options).written.pictures, 2);
}

TEST_F(Import, ABadFirstPictureDoesNotKeepASetFromOpening) {
  write_records(dir_ / "rec", {0, 0, 1}, [](int i) { return i == 0 ? Bytes(50) : small_jpeg(i); });
  write_folder(dir_ / "folder", 1, 2);
  write_text(dir_ / "folder/person0/0.jpg", "not a picture");
  ImportOptions options;
  options.on_bad = OnBad::kSkip;
  for (const char* set : {"rec", "folder"}) {
    EXPECT_EQ(import(dir_ / set, options).skipped, 1);
    EXPECT_EQ(open_faces(out_)->geometry().width, 32);
  }
}

TEST_F(Import, PairsOfSkippedPicturesGo) {
  // A pack whose second picture is bad: pairs are renumbered, and its own goes.
  std::string pickle = "(](";
  for (int i = 0; i < 4; ++i) {
    const Bytes jpeg = i == 1 ? Bytes(5) : small_jpeg(i);
    const auto n = static_cast<std::uint32_t>(jpeg.size());
    pickle += "B";
    pickle.append(reinterpret_cast<const char*>(&n), 4);
    pickle.append(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
  }
  pickle += "e](I01\nI01\net.";
  write_text(dir_ / "p.bin", pickle);
  ImportOptions options;
  options.on_bad = OnBad::kSkip;
  import(dir_ / "p.bin", options);
  const auto pairs = open_faces(out_)->pairs();
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].a, 1);
  EXPECT_EQ(pairs[0].b, 2);
}

TEST_F(Import, AnExistingOutputIsKept) {
  write_folder(dir_ / "folder", 1, 1);
  write_text(out_, "precious");
  error_of(ErrorKind::kUsage, [&] { import_faces(*open_faces(dir_ / "folder"), out_, IfExists::kRefuse, {}); });
  EXPECT_EQ(likeness::read_text(out_), "precious");
}

TEST_F(Import, AnInterruptLeavesNothing) {
  write_folder(dir_ / "folder", 2, 2);
  set_stop_signal(15);
  EXPECT_THROW(import(dir_ / "folder"), Interrupted);
  set_stop_signal(0);
  EXPECT_FALSE(std::filesystem::exists(out_));
  EXPECT_THROW(
      import_faces(*open_faces(dir_ / "folder"), out_, IfExists::kRefuse, {}, [](std::int64_t) { set_stop_signal(2); }),
      Interrupted);
  set_stop_signal(0);
  for (const std::string& name : files_in(dir_.path())) EXPECT_EQ(name.rfind("folder/", 0), 0u) << name;
}

TEST_F(Import, InfoSaysWhatIsThere) {
  write_folder(dir_ / "folder", 3, 2);
  write_bytes(dir_ / "folder/person2/9.jpg", small_jpeg(9, 48, 40));
  std::filesystem::create_directories(dir_ / "folder/person9");
  write_text(dir_ / "a.csv", "identity,gender\nperson0,female\nperson1,male+x\n");
  ImportOptions options;
  options.attributes = dir_ / "a.csv";
  import(dir_ / "folder", options);
  const SetInfo info = describe_faces(*open_faces(out_), true);
  EXPECT_EQ(info.store, "faces.h5");
  EXPECT_EQ(info.pictures, 7);
  EXPECT_EQ(info.identities, 4);
  EXPECT_EQ(info.identities_with_pictures, 3);
  EXPECT_EQ(info.fewest, 2);
  EXPECT_EQ(info.most, 3);
  EXPECT_EQ(info.smallest, (PictureSize{32, 32}));
  EXPECT_EQ(info.largest, (PictureSize{48, 40}));
  EXPECT_EQ(info.damaged, 0);
  ASSERT_EQ(info.warnings.size(), 1u);
  expect_part(info.warnings[0], "where the faces stand");
}

TEST_F(Import, InfoWarnsOfOneIdentityAndOfChangedBytes) {
  write_folder(dir_ / "folder", 1, 3);
  import(dir_ / "folder");
  expect_part(describe_faces(*open_faces(out_), false).warnings.at(0), "only one identity");
  const auto at = [&] {
    const auto file = open_faces(out_);
    std::vector<std::byte> scratch;
    const Bytes whole = read_bytes(out_);
    const auto picture = file->encoded(1, scratch);
    return std::search(whole.begin(), whole.end(), picture.begin(), picture.end()) - whole.begin();
  }();
  std::fstream file(out_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at + 300);
  file.put('!');
  file.close();
  EXPECT_EQ(describe_faces(*open_faces(out_), false).damaged, 0);  // headers only
  EXPECT_EQ(describe_faces(*open_faces(out_), true).damaged, 1);
}

TEST_F(Import, ViewPutsPicturesSideBySide) {
  write_folder(dir_ / "folder", 3, 2, 16);
  const auto source = open_faces(dir_ / "folder");
  ViewOptions options;
  options.cell = 16;
  options.columns = 2;
  options.identity = "person1";
  const auto chosen = choose_pictures(*source, options);
  EXPECT_EQ(chosen, (std::vector<std::int64_t>{2, 3}));
  const Image sheet = contact_sheet(*source, chosen, options);
  ASSERT_EQ(sheet.width, 32);
  ASSERT_EQ(sheet.height, 16);
  const Image left = decode(small_jpeg(10, 16, 16), ""), right = decode(small_jpeg(11, 16, 16), "");
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 48; ++x) {
      const auto i = static_cast<std::size_t>(y * 48 + x);
      ASSERT_EQ(sheet.pixels[static_cast<std::size_t>(y * 96 + x)], left.pixels[i]);
      ASSERT_EQ(sheet.pixels[static_cast<std::size_t>(y * 96 + 48 + x)], right.pixels[i]);
    }
  options.identity = "persn1";
  expect_part(error_of(ErrorKind::kUsage, [&] { choose_pictures(*source, options); }).hint, "person");
  options.identity = "";
  options.count = 3;
  EXPECT_EQ(choose_pictures(*source, options), (std::vector<std::int64_t>{0, 2, 4}));
}

}  // namespace
}  // namespace likeness::test
