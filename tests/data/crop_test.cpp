#include "data/crop.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "data/jpeg.h"
#include "tests/data/sha256.h"
#include "tests/data/small_sets.h"
#include "tests/support/npz.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

TEST(Decode, PixelsAreThoseOfMxnetAndOpenCv) {
  const auto expected = nlohmann::json::parse(likeness::read_text(golden("formats/expected.json")))["jpeg"];
  ASSERT_EQ(expected.size(), 4u);
  for (const auto& [name, value] : expected.items()) {
    const Image image = decode(read_bytes(golden("formats/jpeg/" + name)), name);
    EXPECT_EQ(image.height, value["shape"][0]);
    EXPECT_EQ(image.width, value["shape"][1]);
    EXPECT_EQ(sha256(std::as_bytes(std::span(image.pixels))), value["mxnet_rgb_sha256"]) << name;
  }
}

TEST(Decode, SizeComesFromTheHeaderAlone) {
  EXPECT_EQ(picture_size(small_jpeg(1, 40, 24)), (PictureSize{40, 24}));
  EXPECT_EQ(picture_size(read_bytes(golden("formats/jpeg/00.png"))), (PictureSize{112, 112}));
  EXPECT_EQ(picture_size(Bytes(100)), std::nullopt);
  EXPECT_EQ(picture_size({}), std::nullopt);
  const Bytes jpeg = small_jpeg(1);
  for (std::size_t n = 0; n < jpeg.size(); ++n) picture_size(std::span(jpeg).first(n));  // never reads past the end
}

TEST(Decode, EndsAreSeenWithoutDecoding) {
  for (const char* name : {"00.jpg", "00.png", "grey.jpg"}) {
    Bytes picture = read_bytes(golden(std::string("formats/jpeg/") + name));
    EXPECT_TRUE(ends_properly(picture)) << name;
    picture.pop_back();
    EXPECT_FALSE(ends_properly(picture)) << name;
  }
  EXPECT_FALSE(ends_properly({}));
}

TEST(Decode, DamageIsAnErrorThatNamesThePicture) {
  Bytes cut = small_jpeg(1);
  cut.resize(cut.size() / 2);
  EXPECT_EQ(error_of(ErrorKind::kData, [&] { decode(cut, "set, record 17"); }).where, "set, record 17");
  Bytes png = read_bytes(golden("formats/jpeg/00.png"));
  png.resize(png.size() / 2);
  error_of(ErrorKind::kData, [&] { decode(png, "half a PNG"); });
  const auto parts = error_of(ErrorKind::kData, [&] { decode(Bytes(20), "zeros"); });
  EXPECT_EQ(parts.got, "20 bytes starting 00 00 00 00");
}

TEST(Decode, AHeaderThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken) {
  Bytes jpeg = small_jpeg(1);
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == std::byte{0xff} && jpeg[i + 1] == std::byte{0xc0})
      for (std::size_t k = 5; k < 9; ++k) jpeg[i + k] = std::byte{0xff};
  expect_part(error_of(ErrorKind::kData, [&] { decode(jpeg, "bomb"); }).got, "65535x65535");
}

TEST(Encode, JpegAndPngComeBack) {
  Image image{24, 16, std::vector<std::uint8_t>(24 * 16 * 3)};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 7);
  EXPECT_EQ(decode(encode_png(image), "png").pixels, image.pixels);
  const std::vector<std::uint8_t> grey(24 * 16 * 3, 90);
  const Image back = decode(encode_jpeg(grey.data(), 24, 16, 95), "jpeg");
  for (const std::uint8_t v : back.pixels) EXPECT_NEAR(v, 90, 1);
}

TEST(Warp, EqualsBilinearInDoubleWithinOneGreyLevel) {
  for (const char* name : {"align_crop0.npz", "align_crop1.npz"}) {
    const Npz npz(golden(name));
    const auto& picture = npz.at("picture");
    Image image{static_cast<int>(picture.shape[1]), static_cast<int>(picture.shape[0]), {}};
    for (const std::byte b : picture.data) image.pixels.push_back(std::to_integer<std::uint8_t>(b));
    const auto points = npz.at("landmarks").as_double(), exact = npz.at("crop112_exact").as_double(),
               cv = npz.at("crop112").as_double();
    Landmarks landmarks;
    for (std::size_t k = 0; k < 5; ++k) landmarks[k] = {points[2 * k], points[2 * k + 1]};
    const auto m = estimate_similarity(landmarks, *FaceGeometry::arcface(112).points);
    ASSERT_TRUE(m);
    std::vector<std::uint8_t> out(112 * 112 * 3);
    warp(image, *m, 112, 112, out.data());
    double worst = 0, mean = 0, worst_cv = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      worst = std::max(worst, std::abs(out[i] - exact[i]));
      mean += std::abs(out[i] - exact[i]) / static_cast<double>(out.size());
      worst_cv = std::max(worst_cv, std::abs(out[i] - cv[i]));
    }
    EXPECT_LT(worst, 1.0) << name;     // rounding alone gives 0.5
    EXPECT_LT(mean, 0.27) << name;     // and 0.25 in the mean
    EXPECT_LE(worst_cv, 4.0) << name;  // OpenCV 4.6 rounds positions to 1/32 pixel
  }
}

TEST(Warp, IdentityCopiesAndOutsideIsBlack) {
  const Image image = decode(small_jpeg(3, 20, 20), "small");
  std::vector<std::uint8_t> out(20 * 20 * 3);
  warp(image, {}, 20, 20, out.data());
  EXPECT_EQ(out, image.pixels);
  warp(image, {1, 0, 5, 0}, 20, 20, out.data());  // five to the right
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x)
      for (int c = 0; c < 3; ++c)
        ASSERT_EQ(out[static_cast<std::size_t>((y * 20 + x) * 3 + c)],
                  x < 5 ? 0 : image.pixels[static_cast<std::size_t>((y * 20 + x - 5) * 3 + c)]);
}

TEST(Warp, HalfOfABorderPixelIsHalfBlack) {
  Image white{4, 4, std::vector<std::uint8_t>(48, 200)};
  std::vector<std::uint8_t> out(4 * 4 * 3);
  warp(white, {1, 0, 0.5, 0}, 4, 4, out.data());
  EXPECT_EQ(out[0], 100);  // between black and 200
  EXPECT_EQ(out[3], 200);
}

TEST(Warp, PositionsBeyondAnyPictureAreBlackNotUndefined) {
  const Image image = decode(small_jpeg(3, 20, 20), "small");
  for (const Similarity m :
       {Similarity{1e-12, 0, 0, 0}, Similarity{1, 0, 1e300, 0}, Similarity{NAN, 0, 0, 0}, Similarity{0, 0, 0, 0}}) {
    std::vector<std::uint8_t> out(8 * 8 * 3, 77);
    warp(image, m, 8, 8, out.data());
    for (const std::uint8_t v : out) ASSERT_EQ(v, 0);
  }
}

TEST(Flip, MirrorsEachRow) {
  std::vector<std::uint8_t> rgb = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  flip_horizontal(rgb.data(), 3, 2);
  EXPECT_EQ(rgb, (std::vector<std::uint8_t>{7, 8, 9, 4, 5, 6, 1, 2, 3, 17, 18, 19, 14, 15, 16, 11, 12, 13}));
}

TEST(CropReader, DecodesInPlaceWhereTheGeometryIsTheTargets) {
  TempDir dir;
  write_folder(dir / "set", 2, 1);
  const auto source = open_faces(dir / "set");
  CropReader reader(*source, source->geometry());
  std::vector<std::uint8_t> out(32 * 32 * 3);
  reader.read(1, out.data());
  EXPECT_EQ(out, decode(small_jpeg(10), "").pixels);
}

TEST(CropReader, NamesBothGeometriesWhereThereIsNoWayBetweenThem) {
  TempDir dir;
  write_folder(dir / "set", 2, 1);
  const auto source = open_faces(dir / "set");
  const auto parts = error_of(ErrorKind::kData, [&] { CropReader(*source, FaceGeometry::arcface(112)); });
  expect_part(parts.expected, "arcface 112x112");
  expect_part(parts.got, "unknown 32x32");
  expect_part(parts.hint, "--points");
}

TEST(CropReader, APictureOfAnotherSizeIsNamed) {
  TempDir dir;
  write_folder(dir / "set", 1, 2);
  write_bytes(dir / "set/person0/9.jpg", small_jpeg(9, 48, 32));
  const auto source = open_faces(dir / "set");
  CropReader reader(*source, source->geometry());
  std::vector<std::uint8_t> out(32 * 32 * 3);
  reader.read(0, out.data());
  const auto parts = error_of(ErrorKind::kData, [&] { reader.read(2, out.data()); });
  expect_part(parts.where, "person0/9.jpg");
  EXPECT_EQ(parts.expected, "32x32");
  EXPECT_EQ(parts.got, "48x32");
}

}  // namespace
}  // namespace likeness::test
