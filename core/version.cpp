#include "core/version.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "core/hdf5_internal.h"

namespace likeness {

extern const char* const kGitRevision;  // revision.cpp, written by cmake/revision.cmake

std::string version() { return LIKENESS_VERSION; }
std::string git_revision() { return kGitRevision; }

std::string cpu_features() {
  std::string text;
#if defined(__x86_64__)
  const auto add = [&](const char* name, bool supported) {
    if (supported) text += fmt::format("{}{}", text.empty() ? "" : " ", name);
  };
#define LIKENESS_CPU(name) add(name, __builtin_cpu_supports(name) != 0)
  LIKENESS_CPU("sse4.2");
  LIKENESS_CPU("avx");
  LIKENESS_CPU("avx2");
  LIKENESS_CPU("fma");
  LIKENESS_CPU("avx512f");
  LIKENESS_CPU("avx512bw");
  LIKENESS_CPU("avx512vl");
  LIKENESS_CPU("avx512vnni");
  LIKENESS_CPU("avx512bf16");
#undef LIKENESS_CPU
#endif
  return text.empty() ? "none that matter here" : text;
}

std::string version_text(const std::vector<std::string>& libraries) {
  unsigned major = 0, minor = 0, release = 0;
  h5::initialise();
  H5get_libversion(&major, &minor, &release);
  std::vector<std::string> all{
      fmt::format("HDF5 {}.{}.{}", major, minor, release),
      fmt::format("xxHash {}.{}.{}", XXH_versionNumber() / 10000, XXH_versionNumber() / 100 % 100,
                  XXH_versionNumber() % 100),
      fmt::format("fmt {}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100),
      "CLI11 " CLI11_VERSION,
      fmt::format("nlohmann-json {}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                  NLOHMANN_JSON_VERSION_PATCH)};
  all.insert(all.end(), libraries.begin(), libraries.end());
  return fmt::format("likeness {}\nrevision  {}\ncompiler  g++ {}, {}\nlibraries {}\ncpu       {}\n", version(),
                     git_revision(), __VERSION__, LIKENESS_BUILD_TYPE, fmt::join(all, ", "), cpu_features());
}

}  // namespace likeness
