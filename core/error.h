// The one error type for users' mistakes, and the assertion for ours.
#pragma once

#include <stdexcept>
#include <string>

namespace likeness {

// What went wrong decides the exit code of the program (docs/command-line.md).
enum class ErrorKind {
  kCheckFailed = 1,   // a gate or a parity check said no
  kUsage = 2,         // arguments or configuration
  kInconclusive = 3,  // the data cannot support an answer
  kData = 4,          // a file, record or digest is bad
  kEnvironment = 5,   // device, disk, library, a lost rank
};

// The parts of a message. `what` and `where` are always given; empty parts are left out of the text.
struct ErrorParts {
  std::string what = {};  // "picture cannot be decoded"
  std::string where = {};  // file, record, key: "train.rec, record 17 at byte 4096"
  std::string expected = {};  // "a JPEG or PNG"
  std::string got = {};  // "2,048 bytes starting 00 00 00 00"
  std::string hint = {};  // the next thing to try: "--on-bad skip counts and lists such records"
};

// Thrown for every mistake of a user or of their files. what() is the finished text, at most five lines:
//   <what>
//     where:    …
//     expected: …
//     got:      …
//     hint:     …
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, ErrorParts parts);
  ErrorKind kind() const { return kind_; }
  const ErrorParts& parts() const { return parts_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
  ErrorParts parts_;
};

[[noreturn]] void fail_usage(ErrorParts parts);
[[noreturn]] void fail_data(ErrorParts parts);
[[noreturn]] void fail_environment(ErrorParts parts);

// Thrown when SIGINT or SIGTERM was honoured; carries the signal so that main can exit with 128 + signal.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  int signal() const { return signal_; }
  const char* what() const noexcept override { return "interrupted"; }

 private:
  int signal_;
};

// Our own bug: throws std::logic_error with file and line, which main reports as exit code 70.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace likeness

#define LIKENESS_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::likeness::assertion_failed(#condition, __FILE__, __LINE__))
