#include "core/error.h"

#include <algorithm>

namespace likeness {
namespace {

// A part is one line, whatever a library or a file name put into it.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  const auto last = text.find_last_not_of(' ');
  return last == std::string::npos ? "" : text.substr(0, last + 1);
}

std::string compose(const ErrorParts& parts) {
  std::string text = one_line(parts.what);
  const std::pair<const char*, const std::string*> lines[] = {{"where:    ", &parts.where},
                                                              {"expected: ", &parts.expected},
                                                              {"got:      ", &parts.got},
                                                              {"hint:     ", &parts.hint}};
  for (const auto& [label, part] : lines) {
    if (const std::string line = one_line(*part); !line.empty()) text += std::string("\n  ") + label + line;
  }
  return text;
}

}  // namespace

Error::Error(ErrorKind kind, ErrorParts parts)
    : std::runtime_error(compose(parts)), kind_(kind), parts_(std::move(parts)) {}

void fail_usage(ErrorParts parts) { throw Error(ErrorKind::kUsage, std::move(parts)); }
void fail_data(ErrorParts parts) { throw Error(ErrorKind::kData, std::move(parts)); }
void fail_environment(ErrorParts parts) { throw Error(ErrorKind::kEnvironment, std::move(parts)); }

void assertion_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(std::string(file) + ":" + std::to_string(line) + ": assertion failed: " + condition);
}

}  // namespace likeness
