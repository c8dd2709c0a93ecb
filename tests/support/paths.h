// Where tests find things, and a folder of their own that vanishes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace likeness::test {

std::filesystem::path source_dir();                        // the project's root
std::filesystem::path golden(const std::string& name);     // tests/goldens/<name>
// The folder that LIKENESS_FACES names, if set and there; tests that need it say GTEST_SKIP() << kNoFaces.
std::optional<std::filesystem::path> faces();
inline constexpr const char* kNoFaces = "skipped: set LIKENESS_FACES";

// A fresh folder, removed with everything in it at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace likeness::test
