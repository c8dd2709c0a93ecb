#include "core/hdf5.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "tests/core/file_size_limit.h"
#include "tests/support/paths.h"

namespace likeness::h5 {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

template <class F>
Error error_of(F&& f) {
  testing::internal::CaptureStderr();
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "HDF5 printed";
    return e;
  }
  testing::internal::GetCapturedStderr();
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorKind::kCheckFailed, {.what = "nothing was thrown"});
}

template <class T>
class Hdf5Types : public testing::Test {};
using Types = testing::Types<float, double, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                             std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(Hdf5Types, Types);

TYPED_TEST(Hdf5Types, ComeBackAsWritten) {
  TempDir dir;
  const std::vector<TypeParam> values{std::numeric_limits<TypeParam>::lowest(), 0, 1,
                                      std::numeric_limits<TypeParam>::max()};
  {
    File file = File::create(dir / "t.h5");
    file.write("group/sub/values", values.data(), {2, 2});
    file.write("empty", std::vector<TypeParam>{});
    file.close();
  }
  const File file = File::open(dir / "t.h5");
  EXPECT_EQ(file.read<TypeParam>("group/sub/values"), values);
  EXPECT_EQ(file.shape("group/sub/values"), (std::vector<hsize_t>{2, 2}));
  EXPECT_TRUE(file.read<TypeParam>("empty").empty());
  EXPECT_TRUE(file.has("group/sub"));
  EXPECT_FALSE(file.has("group/none"));
  EXPECT_FALSE(file.has("none/sub"));
}

TEST(Hdf5, StringsAndAttributesComeBack) {
  TempDir dir;
  const std::vector<std::string> words{"", "plain", "Zoë 林", std::string(100'000, 'x')};
  {
    File file = File::create(dir / "s.h5");
    file.write_strings("words", words);
    file.write_strings("none", {});
    file.set_attribute("format", "first");
    file.set_attribute("format", "likeness.faces");
    file.set_attribute("empty", "");
    file.set_attribute("version", std::int64_t{-7});
    file.close();
  }
  const File file = File::open(dir / "s.h5");
  EXPECT_EQ(file.read_strings("words"), words);
  EXPECT_TRUE(file.read_strings("none").empty());
  EXPECT_EQ(file.text_attribute("format"), "likeness.faces");
  EXPECT_EQ(file.text_attribute("empty"), "");
  EXPECT_EQ(file.int_attribute("version"), -7);
  EXPECT_FALSE(file.has_attribute("none"));
  EXPECT_EQ(error_of([&] { file.int_attribute("format"); }).kind(), ErrorKind::kData);
  EXPECT_EQ(error_of([&] { file.text_attribute("none"); }).parts().where, (dir / "s.h5").string() + ": none");
}

TEST(Hdf5, FixedLengthStringsAsNumPyStoresThemAreRead) {
  TempDir dir;
  {
    File file = File::create(dir / "f.h5");
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, 4);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hsize_t n = 2;
    const Handle space(H5Screate_simple(1, &n, nullptr), H5Sclose);
    const Handle set(H5Dcreate2(file.id(), "s", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
    H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, "ab\0\0wxyz");
    const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle attribute(H5Acreate2(file.id(), "a", type, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    H5Awrite(attribute, type, "wxyz");
  }
  const File file = File::open(dir / "f.h5");
  EXPECT_EQ(file.read_strings("s"), (std::vector<std::string>{"ab", "wxyz"}));
  EXPECT_EQ(file.text_attribute("a"), "wxyz");
}

TEST(Hdf5, ABlobIsFoundByItsOffset) {
  TempDir dir;
  const std::string bytes = "0123456789";
  {
    File file = File::create(dir / "b.h5");
    file.write("before", std::vector<double>(1000, 1.0));
    const std::uint64_t offset = file.create_blob("blob", bytes.size());
    EXPECT_EQ(file.create_blob("none", 0), 0u);
    file.write("after", std::vector<double>(1000, 2.0));
    file.close();
    std::fstream raw(dir / "b.h5", std::ios::in | std::ios::out | std::ios::binary);
    raw.seekp(static_cast<std::streamoff>(offset));
    raw << bytes;
  }
  const File file = File::open(dir / "b.h5");
  std::uint64_t size = 0;
  const std::uint64_t offset = file.blob_offset("blob", &size);
  EXPECT_EQ(size, bytes.size());
  EXPECT_EQ(read_text(dir / "b.h5").substr(offset, size), bytes);
  const std::vector<std::uint8_t> values = file.read<std::uint8_t>("blob");
  EXPECT_EQ(std::string(values.begin(), values.end()), bytes);
  EXPECT_EQ(file.read<double>("before").back(), 1.0);
  EXPECT_EQ(file.read<double>("after").back(), 2.0);
  EXPECT_EQ(file.blob_offset("none", &size), 0u);
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(error_of([&] { file.blob_offset("before", &size); }).kind(), ErrorKind::kData);
}

TEST(Hdf5, WhatIsNotThereOrOfAnotherKindIsADataError) {
  TempDir dir;
  {
    File file = File::create(dir / "k.h5");
    file.write("numbers", std::vector<int>{1, 2});
    file.write_strings("words", {"a"});
    file.write("group/x", std::vector<int>{1});
  }
  const File file = File::open(dir / "k.h5");
  const Error missing = error_of([&] { file.read<int>("none"); });
  EXPECT_EQ(missing.kind(), ErrorKind::kData);
  EXPECT_EQ(missing.parts().where, (dir / "k.h5").string() + ": none");
  EXPECT_EQ(error_of([&] { file.read<int>("words"); }).kind(), ErrorKind::kData);
  EXPECT_EQ(error_of([&] { file.read_strings("numbers"); }).kind(), ErrorKind::kData);
  EXPECT_EQ(error_of([&] { file.read<int>("group"); }).kind(), ErrorKind::kData);
}

TEST(Hdf5, FilesThatAreMissingForeignOrTruncatedAreDataErrors) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { File::open(dir / "none.h5"); }).parts().what, "file not found");
  EXPECT_EQ(error_of([&] { File::open(dir.path()); }).kind(), ErrorKind::kData);
  std::ofstream(dir / "text.h5") << "hello";
  EXPECT_EQ(error_of([&] { File::open(dir / "text.h5"); }).parts().what, "not an HDF5 file");
  {
    File file = File::create(dir / "t.h5");
    file.write("values", std::vector<double>(100'000, 1.0));
    file.close();
  }
  fs::resize_file(dir / "t.h5", 50'000);
  EXPECT_EQ(error_of([&] { File::open(dir / "t.h5"); }).kind(), ErrorKind::kData);
}

// A header that claims 8 TB over nothing stored must be refused before memory is asked for.
TEST(Hdf5, ADatasetLargerThanItsFileIsRefused) {
  TempDir dir;
  {
    File file = File::create(dir / "huge.h5");
    const hsize_t n = 1ull << 40;
    const Handle space(H5Screate_simple(1, &n, nullptr), H5Sclose);
    const Handle set(H5Dcreate2(file.id(), "x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                     H5Dclose);
    ASSERT_TRUE(set.valid());
  }
  const File file = File::open(dir / "huge.h5");
  EXPECT_EQ(error_of([&] { file.read<double>("x"); }).kind(), ErrorKind::kData);
}

TEST(Hdf5, EveryTruncationIsAnErrorAndNoCrash) {
  TempDir dir;
  {
    File file = File::create(dir / "whole.h5");
    file.write("a/values", std::vector<double>(50, 1.0));
    file.write_strings("words", {"one", "two"});
    file.set_attribute("format", "x");
    file.create_blob("blob", 100);
    file.close();
  }
  const std::string whole = read_text(dir / "whole.h5");
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    write_atomically(dir / "cut.h5", IfExists::kReplace, std::string_view(whole).substr(0, size));
    try {
      const File file = File::open(dir / "cut.h5");
      file.read<double>("a/values");
      file.read_strings("words");
      file.text_attribute("format");
      std::uint64_t unused = 0;
      file.blob_offset("blob", &unused);
      ADD_FAILURE() << "cut at " << size;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData) << size;
    }
  }
}

TEST(Hdf5, AFullDiskIsAnEnvironmentErrorThatNamesTheFile) {
  TempDir dir;
  const std::vector<double> values(100'000, 1.0);
  const Error e = error_of([&] {
    const test::FileSizeLimit limit(65536);
    write_atomically(dir / "full.h5", IfExists::kRefuse, [&](const fs::path& temporary) {
      File file = File::create(temporary);
      file.write("values", values);
      file.close();
    });
  });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment);
  EXPECT_EQ(e.parts().where, (dir / "full.h5").string() + ": values");
  EXPECT_NE(e.parts().what.find("full"), std::string::npos) << e.what();
  EXPECT_EQ(e.parts().got, "File too large");
  EXPECT_TRUE(fs::is_empty(dir.path()));
  EXPECT_EQ(error_of([&] { File::create(dir / "no/such/folder.h5"); }).kind(), ErrorKind::kEnvironment);
}

}  // namespace
}  // namespace likeness::h5
