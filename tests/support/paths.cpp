#include "tests/support/paths.h"

#include <cstdlib>
#include <stdexcept>

namespace likeness::test {

std::filesystem::path source_dir() { return LIKENESS_SOURCE_DIR; }
std::filesystem::path golden(const std::string& name) { return source_dir() / "tests/goldens" / name; }

std::optional<std::filesystem::path> faces() {
  const char* path = std::getenv("LIKENESS_FACES");
  if (path == nullptr || !std::filesystem::is_directory(path)) return std::nullopt;
  return std::filesystem::path(path);
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "likeness-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace likeness::test
