// Runs likeness-eval in a folder as a user would.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace likeness::test {

// Fails the test with what was printed unless the program ends with `expected`.
inline ProcessResult run_eval(const std::filesystem::path& folder, const std::vector<std::string>& args, int expected) {
  ProcessOptions options;
  options.cwd = folder;
  const ProcessResult r = run_process("likeness-eval", args, options);
  EXPECT_EQ(r.exit_code, expected) << r.out << r.err;
  return r;
}

}  // namespace likeness::test
