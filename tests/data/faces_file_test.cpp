#include "data/faces_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/hdf5.h"
#include "data/source_common.h"
#include "tests/core/file_size_limit.h"
#include "tests/data/small_sets.h"
#include "tests/support/process.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

constexpr int kPictures = 7;

Landmarks points_of(int i) {
  Landmarks points;
  for (std::size_t k = 0; k < 5; ++k) points[k] = {10.0 + i + static_cast<double>(k), 20.5 + static_cast<double>(k)};
  return points;
}

FacesMeta fill_example(FacesWriter& writer, bool landmarks = true) {
  for (int i = 0; i < kPictures; ++i) {
    FaceEntry entry{
        i == 6 ? -1 : i / 2, {32, 24}, "images/p" + std::to_string(i / 2) + "/" + std::to_string(i) + ".jpg", {}};
    if (landmarks) entry.landmarks = points_of(i);
    writer.add(small_jpeg(i, 32, 24), entry);
  }
  FacesMeta meta;
  meta.geometry = FaceGeometry::unknown(32, 24);
  meta.identity_names = {"ann", "bob", "čeněk"};
  AttributeColumn& race = meta.attributes.column("race", kPictures);
  for (int i = 0; i < kPictures; ++i)
    race.codes[static_cast<std::size_t>(i)] = i == 0 ? 0 : race.code_of("a") | (i % 2 ? race.code_of("b") : 0);
  AttributeColumn& many = meta.attributes.column("many", kPictures);
  for (int k = 0; k < 64; ++k)
    many.codes[static_cast<std::size_t>(k % kPictures)] |= many.code_of("c" + std::to_string(k));
  meta.pairs = {{0, 1, true}, {0, 5, false}};
  meta.provenance = R"({"source":"example"})";
  return meta;
}

std::uint64_t example_bytes() {
  std::uint64_t bytes = 0;
  for (int i = 0; i < kPictures; ++i) bytes += small_jpeg(i, 32, 24).size();
  return bytes;
}

void check_example(const FacesFile& file) {
  ASSERT_EQ(file.size(), kPictures);
  EXPECT_EQ(file.identities(), 3);
  EXPECT_EQ(file.identity_name(2), "čeněk");
  std::vector<std::byte> scratch;
  for (int i = 0; i < kPictures; ++i) {
    const Bytes jpeg = small_jpeg(i, 32, 24);
    const auto stored = file.encoded(i, scratch);
    EXPECT_TRUE(std::equal(stored.begin(), stored.end(), jpeg.begin(), jpeg.end())) << i;
    EXPECT_EQ(file.checksum(i), xxh3_64(jpeg));
    EXPECT_EQ(file.label(i), i == 6 ? -1 : i / 2);
    EXPECT_EQ(file.key(i), "images/p" + std::to_string(i / 2) + "/" + std::to_string(i) + ".jpg");
    EXPECT_EQ(file.picture_size(i), (PictureSize{32, 24}));
    ASSERT_TRUE(file.landmarks(i));
    for (std::size_t k = 0; k < 5; ++k) EXPECT_EQ((*file.landmarks(i))[k].x, points_of(i)[k].x);
  }
  EXPECT_TRUE(scratch.empty());  // mapped, never copied
  const AttributeTable attributes = file.attributes();
  ASSERT_EQ(attributes.columns.size(), 2u);
  EXPECT_EQ(attributes.find("race")->text(0), "");
  EXPECT_EQ(attributes.find("race")->text(1), "a+b");
  EXPECT_EQ(attributes.find("race")->text(2), "a");
  EXPECT_EQ(attributes.find("many")->categories.size(), 64u);
  EXPECT_EQ(attributes.find("many")->text(0), "c0+c7+c14+c21+c28+c35+c42+c49+c56+c63");
  ASSERT_EQ(file.pairs().size(), 2u);
  EXPECT_EQ(file.pairs()[1].b, 5);
  EXPECT_FALSE(file.pairs()[1].same);
  EXPECT_EQ(file.provenance(), R"({"source":"example"})");
  EXPECT_EQ(file.digest(), source_digest(file));
  EXPECT_THROW(file.encoded(kPictures, scratch), std::out_of_range);
}

TEST(FacesFile, WhatIsWrittenComesBack) {
  TempDir dir;
  const WrittenFaces done = write_faces(dir / "a.faces.h5", IfExists::kRefuse, example_bytes(),
                                        [](FacesWriter& w) { return fill_example(w); });
  EXPECT_EQ(done.pictures, kPictures);
  EXPECT_EQ(done.bytes, example_bytes());
  const auto file = open_faces_file(dir / "a.faces.h5");
  check_example(*file);
  EXPECT_EQ(file->digest(), done.digest);
}

TEST(FacesFile, SpoolingGivesTheSameFile) {
  TempDir dir;
  const auto fill = [](FacesWriter& w) { return fill_example(w); };
  write_faces(dir / "known.faces.h5", IfExists::kRefuse, example_bytes(), fill);
  write_faces(dir / "spooled.faces.h5", IfExists::kRefuse, std::nullopt, fill);
  check_example(*open_faces_file(dir / "spooled.faces.h5"));
  EXPECT_EQ(open_faces_file(dir / "known.faces.h5")->digest(), open_faces_file(dir / "spooled.faces.h5")->digest());
  EXPECT_EQ(files_in(dir.path()), (std::vector<std::string>{"known.faces.h5", "spooled.faces.h5"}));
}

TEST(FacesFile, PicturesLargerThanTheBufferAreWrittenWhole) {
  TempDir dir;
  std::vector<std::byte> large(9 << 20);  // two buffers and a bit; its bytes need not be a picture here
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::byte>(i * 31 >> 3);
  write_faces(dir / "l.faces.h5", IfExists::kRefuse, std::nullopt, [&](FacesWriter& w) {
    for (int i = 0; i < 3; ++i) w.add(large, {0, {9, 9}, "k" + std::to_string(i), {}});
    return FacesMeta{FaceGeometry::unknown(9, 9), {"x"}, {}, {}, "{}"};
  });
  const auto file = open_faces_file(dir / "l.faces.h5");
  std::vector<std::byte> scratch;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(xxh3_64(file->encoded(i, scratch)), xxh3_64(large));
}

TEST(FacesFile, AnEmptySetIsRefusedAndLeavesNothing) {
  TempDir dir;
  error_of(ErrorKind::kData, [&] {
    write_faces(dir / "e.faces.h5", IfExists::kRefuse, std::nullopt, [](FacesWriter&) { return FacesMeta{}; });
  });
  EXPECT_TRUE(files_in(dir.path()).empty());
}

TEST(FacesFile, LandmarksOnSomePicturesOnlyAreRefused) {
  TempDir dir;
  const auto parts = error_of(ErrorKind::kData, [&] {
    write_faces(dir / "e.faces.h5", IfExists::kRefuse, std::nullopt, [](FacesWriter& w) {
      w.add(small_jpeg(0), {0, {32, 32}, "first", points_of(0)});
      w.add(small_jpeg(1), {0, {32, 32}, "second", {}});
      return FacesMeta{};
    });
  });
  EXPECT_EQ(parts.where, "second");
  EXPECT_TRUE(files_in(dir.path()).empty());
}

TEST(FacesFile, AFullDiskLeavesNothingAndIsTheEnvironments) {
  TempDir dir;
  write_text(dir / "there.faces.h5", "precious");
  for (const bool spool : {false, true})
    for (const rlim_t limit : {1000, 4000, 9000}) {
      const FileSizeLimit full(limit);
      error_of(ErrorKind::kEnvironment, [&] {
        write_faces(dir / "there.faces.h5", IfExists::kReplace, spool ? std::nullopt : std::optional(example_bytes()),
                    [](FacesWriter& w) { return fill_example(w); });
      });
    }
  EXPECT_EQ(files_in(dir.path()), std::vector<std::string>{"there.faces.h5"});
  EXPECT_EQ(likeness::read_text(dir / "there.faces.h5"), "precious");
}

TEST(FacesFile, AnErrorOfTheSourceLeavesNothing) {
  TempDir dir;
  EXPECT_THROW(write_faces(dir / "e.faces.h5", IfExists::kRefuse, std::nullopt,
                           [](FacesWriter& w) -> FacesMeta {
                             w.add(small_jpeg(0), {0, {32, 32}, "first", {}});
                             throw std::runtime_error("source broke");
                           }),
               std::runtime_error);
  EXPECT_TRUE(files_in(dir.path()).empty());
}

// Writes the example, lets `damage` change it through HDF5, and gives the error of opening it and touching every
// picture.
std::string damage(const std::function<void(hid_t)>& change) {
  TempDir dir;
  write_faces(dir / "d.faces.h5", IfExists::kRefuse, example_bytes(), [](FacesWriter& w) { return fill_example(w); });
  {
    const h5::Handle file(H5Fopen((dir / "d.faces.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    change(file);
  }
  return error_of(ErrorKind::kData,
                  [&] {
                    const auto file = open_faces_file(dir / "d.faces.h5");
                    std::vector<std::byte> scratch;
                    for (std::int64_t i = 0; i < file->size(); ++i)
                      file->encoded(i, scratch), file->label(i), file->key(i);
                  })
      .where;
}

template <class T>
void overwrite(hid_t file, const char* name, hsize_t at, T value, hid_t type) {
  const h5::Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose), space(H5Dget_space(set), H5Sclose);
  const hsize_t one = 1;
  const h5::Handle memory(H5Screate_simple(1, &one, nullptr), H5Sclose);
  H5Sselect_elements(space, H5S_SELECT_SET, 1, &at);
  ASSERT_GE(H5Dwrite(set, type, memory, space, H5P_DEFAULT, &value), 0);
}

TEST(FacesFile, DamageIsAnErrorThatNamesTheDataset) {
  for (const char* name : {"data", "offset", "label", "size", "xxh3", "key"})
    expect_part(damage([&](hid_t f) { H5Ldelete(f, name, H5P_DEFAULT); }), name);
  expect_part(damage([](hid_t f) { overwrite(f, "offset", 3, std::uint64_t{1} << 60, H5T_NATIVE_UINT64); }),
              "offset of picture 2");
  expect_part(damage([](hid_t f) { overwrite(f, "key/offset", 3, std::uint64_t{1} << 60, H5T_NATIVE_UINT64); }),
              "key/offset");
  expect_part(damage([](hid_t f) { overwrite(f, "label", 1, std::int64_t{3}, H5T_NATIVE_INT64); }), "images/p0/1.jpg");
  expect_part(damage([](hid_t f) { overwrite(f, "label", 1, std::int64_t{-2}, H5T_NATIVE_INT64); }), "images/p0/1.jpg");
  expect_part(damage([](hid_t f) { overwrite(f, "attributes/race/code", 1, std::uint8_t{8}, H5T_NATIVE_UINT8); }),
              "attributes/race");
  expect_part(damage([](hid_t f) { H5Ldelete(f, "attributes/race/code", H5P_DEFAULT); }), "attributes/race");
  expect_part(damage([](hid_t f) { H5Ldelete(f, "identity_names", H5P_DEFAULT); }), "identity_names");
  EXPECT_NE(damage([](hid_t f) { H5Adelete(f, "format"); }), "");
  EXPECT_NE(damage([](hid_t f) { H5Adelete(f, "pictures"); }), "");
}

TEST(FacesFile, AFileOfANewerVersionIsRefused) {
  TempDir dir;
  write_faces(dir / "v.faces.h5", IfExists::kRefuse, example_bytes(), [](FacesWriter& w) { return fill_example(w); });
  {
    const h5::Handle file(H5Fopen((dir / "v.faces.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    const h5::Handle attribute(H5Aopen(file, "format_version", H5P_DEFAULT), H5Aclose);
    const std::int64_t two = 2;
    ASSERT_GE(H5Awrite(attribute, H5T_NATIVE_INT64, &two), 0);
  }
  EXPECT_EQ(error_of(ErrorKind::kData, [&] { open_faces_file(dir / "v.faces.h5"); }).got, "2");
}

TEST(FacesFile, ATruncatedFileIsRefused) {
  TempDir dir;
  write_faces(dir / "t.faces.h5", IfExists::kRefuse, example_bytes(), [](FacesWriter& w) { return fill_example(w); });
  const Bytes whole = read_bytes(dir / "t.faces.h5");
  for (std::size_t n = 0; n < whole.size(); n += whole.size() / 7) {
    write_bytes(dir / "cut.faces.h5", std::span(whole).first(n));
    error_of(ErrorKind::kData, [&] { open_faces_file(dir / "cut.faces.h5"); });
  }
}

TEST(FacesFile, OtherHdf5FilesAreNotFaces) {
  TempDir dir;
  h5::File::create(dir / "o.h5").close();
  expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "o.h5"); }).expected, "likeness.faces");
}

TEST(FacesFile, H5pyReadsIt) {
  const auto python = source_dir() / ".deps/python/bin/python";
  if (!std::filesystem::exists(python)) GTEST_SKIP() << "skipped: no .deps/python (scripts/setup.sh --crosscheck)";
  TempDir dir;
  write_faces(dir / "a.faces.h5", IfExists::kRefuse, example_bytes(), [](FacesWriter& w) { return fill_example(w); });
  const char* script = R"(
import h5py, json, sys
f = h5py.File(sys.argv[1])
o, k = f['offset'], f['key/offset']
print(json.dumps({
  'format': f.attrs['format'], 'version': int(f.attrs['format_version']), 'pictures': int(f.attrs['pictures']),
  'third': f['data'][int(o[2]):int(o[3])].tobytes().hex(), 'key': f['key/text'][int(k[2]):int(k[3])].tobytes().decode(),
  'labels': f['label'][:].tolist(), 'size': f['size'][2].tolist(), 'landmark': f['landmarks'][2, 0].tolist(),
  'names': [n.decode() for n in f['identity_names'][:]], 'race': f['attributes/race/code'][:].tolist(),
  'categories': [c.decode() for c in f['attributes/race/category'][:]], 'geometry': json.loads(f.attrs['geometry'])}))
)";
  const ProcessResult r = run_process(python.string(), {"-c", script, (dir / "a.faces.h5").string()});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const auto json = nlohmann::json::parse(r.out);
  EXPECT_EQ(json["format"], "likeness.faces");
  EXPECT_EQ(json["version"], kFacesFormatVersion);
  EXPECT_EQ(json["pictures"], kPictures);
  EXPECT_EQ(json["key"], "images/p1/2.jpg");
  std::string hex;
  for (const std::byte b : small_jpeg(2, 32, 24)) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(b));
    hex += digits;
  }
  EXPECT_EQ(json["third"], hex);
  EXPECT_EQ(json["labels"], (std::vector<int>{0, 0, 1, 1, 2, 2, -1}));
  EXPECT_EQ(json["size"], (std::vector<int>{24, 32}));
  EXPECT_EQ(json["landmark"], (std::vector<double>{12, 20.5}));
  EXPECT_EQ(json["names"][2], "čeněk");
  EXPECT_EQ(json["race"], (std::vector<int>{0, 3, 1, 3, 1, 3, 1}));
  EXPECT_EQ(json["categories"], (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(json["geometry"]["width"], 32);
}

}  // namespace
}  // namespace likeness::test
