// Small helpers that make a walk read like a shell script.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::test {

// `likeness ARGS…` in `folder`; fails the test with what was printed unless it ends with `expected`.
inline ProcessResult likeness_in(const std::filesystem::path& folder, const std::vector<std::string>& args, int expected = 0,
                                 ProcessOptions options = {}) {
  options.cwd = folder;
  ProcessResult r = run_process("likeness", args, options);
  std::string line = "likeness";
  for (const std::string& a : args) line += " " + a;
  EXPECT_EQ(r.exit_code, expected) << line << "\n--- stdout\n" << r.out << "\n--- stderr\n" << r.err;
  return r;
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path << " was not written";
  return nlohmann::json::parse(in, nullptr, false);
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path << " is not there";
  return {std::istreambuf_iterator<char>(in), {}};
}

// Nothing of ours is left half-written in `folder`: temporaries are named with a leading dot or contain ".tmp".
inline void expect_no_leftovers(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    EXPECT_FALSE(name.find(".tmp") != std::string::npos || name.starts_with(".")) << "left behind: " << entry.path();
  }
}

}  // namespace likeness::test
