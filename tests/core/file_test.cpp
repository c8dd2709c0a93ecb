#include "core/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <utility>

#include "core/error.h"
#include "tests/core/file_size_limit.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(MappedFile, ShowsTheBytesAndSurvivesMoves) {
  TempDir dir;
  std::ofstream(dir / "a") << "hello";
  MappedFile first(dir / "a");
  MappedFile second(std::move(first));
  MappedFile third;
  third = std::move(second);
  third.advise_random();
  third.advise_sequential();
  ASSERT_EQ(third.size(), 5u);
  EXPECT_EQ(static_cast<char>(third.bytes()[4]), 'o');
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  TempDir dir;
  std::ofstream(dir / "empty");
  EXPECT_TRUE(MappedFile(dir / "empty").bytes().empty());
}

TEST(MappedFile, MissingFilesAndFoldersAreDataErrorsThatNameThem) {
  TempDir dir;
  const Error missing = error_of([&] { MappedFile(dir / "none"); });
  EXPECT_EQ(missing.kind(), ErrorKind::kData);
  EXPECT_EQ(missing.parts().where, (dir / "none").string());
  EXPECT_EQ(error_of([&] { MappedFile{dir.path()}; }).parts().got, "a folder");
}

TEST(ReadText, ReadsFilesOfAnySizeAndPipes) {
  TempDir dir;
  const std::string text(200'001, 'x');
  std::ofstream(dir / "t") << text;
  EXPECT_EQ(read_text(dir / "t"), text);
  EXPECT_NE(read_text("/proc/self/status").find("Pid:"), std::string::npos);  // claims a size of 0
  EXPECT_EQ(error_of([&] { read_text(dir / "none"); }).kind(), ErrorKind::kData);
}

TEST(WriteAtomically, RefusesAnExistingOutputUnlessToldToReplaceIt) {
  TempDir dir;
  write_atomically(dir / "out.txt", IfExists::kRefuse, "one");
  const Error refused = error_of([&] { write_atomically(dir / "out.txt", IfExists::kRefuse, "two"); });
  EXPECT_EQ(refused.kind(), ErrorKind::kUsage);
  EXPECT_NE(refused.parts().hint.find("--force"), std::string::npos);
  EXPECT_EQ(read_text(dir / "out.txt"), "one");
  write_atomically(dir / "out.txt", IfExists::kReplace, "two");
  EXPECT_EQ(read_text(dir / "out.txt"), "two");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(WriteAtomically, AnOutputThatAppearsMeanwhileIsNotOverwritten) {
  TempDir dir;
  const Error e = error_of([&] {
    write_atomically(dir / "out", IfExists::kRefuse, [&](const fs::path& temporary) {
      std::ofstream(temporary) << "ours";
      std::ofstream(dir / "out") << "theirs";
    });
  });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_EQ(read_text(dir / "out"), "theirs");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(WriteAtomically, TheTemporaryKeepsTheExtensionAndGoesAwayWhenTheWriterThrows) {
  TempDir dir;
  write_atomically(dir / "keep.onnx", IfExists::kRefuse, "old");
  EXPECT_THROW(write_atomically(dir / "keep.onnx", IfExists::kReplace,
                                [&](const fs::path& temporary) {
                                  EXPECT_EQ(temporary.extension(), ".onnx");
                                  EXPECT_EQ(temporary.parent_path(), dir.path());
                                  std::ofstream(temporary) << "half";
                                  throw std::runtime_error("stop");
                                }),
               std::runtime_error);
  EXPECT_EQ(read_text(dir / "keep.onnx"), "old");
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(WriteAtomically, AFullDiskIsAnEnvironmentErrorThatLeavesNothingBehind) {
  TempDir dir;
  const std::string contents(100'000, 'x');
  const Error e = error_of([&] {
    const test::FileSizeLimit limit(8192);
    write_atomically(dir / "out", IfExists::kRefuse, contents);
  });
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment);
  EXPECT_EQ(e.parts().where, (dir / "out").string());
  EXPECT_NE(e.parts().what.find("full"), std::string::npos);
  EXPECT_EQ(entries(dir.path()), 0u);
}

TEST(WriteAll, NoSpaceLeftIsAnEnvironmentError) {
  const int fd = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(fd, 0);
  const Error e = error_of([&] { write_all(fd, std::as_bytes(std::span("text")), "/dev/full"); });
  ::close(fd);
  EXPECT_EQ(e.kind(), ErrorKind::kEnvironment);
  EXPECT_NE(e.parts().got.find("No space left"), std::string::npos);
}

TEST(CheckOutput, MissingFoldersAndDevicesAreUsageErrors) {
  TempDir dir;
  const Error missing = error_of([&] { check_output(dir / "no/such/out", IfExists::kReplace); });
  EXPECT_EQ(missing.kind(), ErrorKind::kUsage);
  EXPECT_NE(missing.parts().hint.find("mkdir -p"), std::string::npos);
  EXPECT_EQ(error_of([] { check_output("/dev/null", IfExists::kReplace); }).kind(), ErrorKind::kUsage);
  check_output("relative-and-absent", IfExists::kRefuse);
}

TEST(WriteFolderAtomically, ReplacesAFullFolderWhole) {
  TempDir dir;
  const auto fill = [](const std::string& text) {
    return [text](const fs::path& folder) {
      fs::create_directory(folder / "sub");
      std::ofstream(folder / "sub" / text) << text;
    };
  };
  write_folder_atomically(dir / "step-1", IfExists::kRefuse, fill("one"));
  EXPECT_EQ(error_of([&] { write_folder_atomically(dir / "step-1", IfExists::kRefuse, fill("two")); }).kind(),
            ErrorKind::kUsage);
  EXPECT_TRUE(fs::exists(dir / "step-1/sub/one"));
  write_folder_atomically(dir / "step-1/", IfExists::kReplace, fill("two"));
  EXPECT_FALSE(fs::exists(dir / "step-1/sub/one"));
  EXPECT_TRUE(fs::exists(dir / "step-1/sub/two"));
  EXPECT_EQ(entries(dir.path()), 1u);
}

TEST(WriteFolderAtomically, AThrowingWriterLeavesTheOldFolder) {
  TempDir dir;
  write_folder_atomically(dir / "run", IfExists::kRefuse, [](const fs::path& f) { std::ofstream(f / "a") << 1; });
  EXPECT_THROW(write_folder_atomically(dir / "run", IfExists::kReplace,
                                       [](const fs::path& f) {
                                         std::ofstream(f / "b") << 2;
                                         throw std::runtime_error("stop");
                                       }),
               std::runtime_error);
  EXPECT_TRUE(fs::exists(dir / "run/a"));
  EXPECT_EQ(entries(dir.path()), 1u);
}

// Known values of XXH3, in the order of digits that xxhsum prints.
TEST(Digest, IsXxh3InAllItsForms) {
  const std::string empty, abc = "abc";
  EXPECT_EQ(xxh3_128_hex({}), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(xxh3_128_hex(std::as_bytes(std::span(abc))), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(xxh3_64(std::as_bytes(std::span(abc))), 0x78af5f94892f3950u);
  EXPECT_EQ(Digest().add("a").add("").add("bc").hex(), "06b05ab6733a618578af5f94892f3950");
}

TEST(Digest, OfAFileIsThatOfItsBytes) {
  TempDir dir;
  const std::string contents(3'000'001, 'q');
  std::ofstream(dir / "f") << contents;
  EXPECT_EQ(file_digest(dir / "f"), xxh3_128_hex(std::as_bytes(std::span(contents))));
}

}  // namespace
}  // namespace likeness
