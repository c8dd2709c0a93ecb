#include "core/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>

namespace likeness {
namespace {

std::mutex mutex;
std::string status;

void write_out(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }

constexpr const char* kClearLine = "\r\033[K";

}  // namespace

bool stderr_is_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

void print_line(const std::string& text) {
  const std::lock_guard lock(mutex);
  write_out(status.empty() ? text + "\n" : kClearLine + text + "\n" + status);
}

void draw_status(const std::string& text) {
  const std::lock_guard lock(mutex);
  if (text.empty() && status.empty()) return;
  status = text;
  write_out(kClearLine + status);
}

}  // namespace likeness
