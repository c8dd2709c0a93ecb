// What goes wrong at a user's desk: each case says what, names the file, ends with the documented exit code and leaves nothing behind.
#include "tests/e2e/walk.h"

namespace likeness::test {
namespace {

void write_file(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// A small set of synthetic faces, made once.
const std::filesystem::path& shared_set() {
  static TempDir dir;
  static const std::filesystem::path path = [] {
    likeness_in(dir.path(), {"data", "synth", "faces.faces.h5", "--identities", "6", "--pictures", "4", "--size", "64", "--quiet"});
    return dir / "faces.faces.h5";
  }();
  return path;
}

void expect_error(const ProcessResult& r, const std::string& mentions) {
  EXPECT_NE(r.err.find(mentions), std::string::npos) << "stderr does not mention '" << mentions << "':\n" << r.err;
  std::size_t lines = 0;
  for (char c : r.err) lines += c == '\n';
  EXPECT_LE(lines, 7u) << "an error is at most five lines (and perhaps a progress line):\n" << r.err;
}

TEST(BadInput, TruncatedContainer) {
  TempDir dir;
  std::string bytes = read_bytes(shared_set());
  bytes.resize(bytes.size() / 2);
  write_file(dir / "half.faces.h5", bytes);
  expect_error(likeness_in(dir.path(), {"data", "info", "half.faces.h5"}, 4), "half.faces.h5");
}

TEST(BadInput, NotAFaceSet) {
  TempDir dir;
  write_file(dir / "notes.txt", "no faces here");
  expect_error(likeness_in(dir.path(), {"data", "info", "notes.txt"}, 4), "notes.txt");
  std::filesystem::create_directory(dir / "empty");
  expect_error(likeness_in(dir.path(), {"data", "import", "empty", "out.faces.h5"}, 4), "empty");
  EXPECT_FALSE(std::filesystem::exists(dir / "out.faces.h5"));
}

TEST(BadInput, OutputExists) {
  TempDir dir;
  write_file(dir / "there.faces.h5", "precious");
  const auto r = likeness_in(dir.path(), {"data", "synth", "there.faces.h5", "--identities", "2", "--pictures", "2"}, 2);
  expect_error(r, "--force");
  EXPECT_EQ(read_bytes(dir / "there.faces.h5"), "precious");
}

TEST(BadInput, DiskFull) {
  TempDir dir;
  ProcessOptions small_disk;
  small_disk.file_size_limit = 4096;
  expect_error(likeness_in(dir.path(), {"data", "synth", "big.faces.h5", "--identities", "20", "--pictures", "10", "--quiet"}, 5, small_disk), "big.faces.h5");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path())) << "a half-written file stayed";
}

TEST(BadInput, NoSuchModelOrPairs) {
  TempDir dir;
  expect_error(likeness_in(dir.path(), {"eval", "verify", "no-run", shared_set().string(), "--trials", "all"}, 4), "no-run");
  write_file(dir / "junk.onnx", "this is not a protobuf");
  expect_error(likeness_in(dir.path(), {"eval", "verify", "junk.onnx", shared_set().string(), "--trials", "all"}, 4), "junk.onnx");
  expect_error(likeness_in(dir.path(), {"export", "check", "junk.onnx", "--against", "no-run"}, 4), "junk.onnx");
}

}  // namespace
}  // namespace likeness::test
