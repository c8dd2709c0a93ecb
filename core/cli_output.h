// Inside core: what a program prints at the end, and how exceptions become messages and exit codes.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace likeness {

// Indented JSON with a newline at the end; text that is not UTF-8 is replaced rather than refused.
std::string json_text(const nlohmann::json& json);

class Output {
 public:
  // With `json`, stdout is kept for print(): what libraries print there goes to stderr.
  explicit Output(bool json);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Writes to the real stdout, with a newline at the end; kEnvironment when that fails.
  void print(const std::string& text);

  // Runs `body` and returns its exit code, or reports what it throws: on stderr as text, and with `json` on stdout as
  // {"error":{what,where,expected,got,hint},"exit":N}.
  int guard(const std::function<int()>& body);

 private:
  bool json_;
  int stdout_;  // the descriptor that print() writes to
};

}  // namespace likeness
