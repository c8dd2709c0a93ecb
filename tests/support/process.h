// Runs the built programs as a user would, and catches what they print.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace likeness::test {

struct ProcessResult {
  int exit_code = -1;   // 128 + signal when killed by one
  std::string out, err;
};

struct ProcessOptions {
  std::filesystem::path cwd;                                  // empty: here
  std::vector<std::pair<std::string, std::string>> env;       // added to ours
  std::chrono::milliseconds signal_after{0};                  // > 0: `signal` is sent then
  int signal = 0;
  std::string signal_when_printed;                            // or: once stderr or stdout holds this text
  std::uintmax_t file_size_limit = 0;                         // > 0: RLIMIT_FSIZE, a disk that is full at this size
};

// program: a name under <build>/bin, or a path. Never through a shell.
ProcessResult run_process(const std::string& program, const std::vector<std::string>& args, const ProcessOptions& options = {});

std::filesystem::path binary_dir();  // <build>/bin, found beside the running test

}  // namespace likeness::test
