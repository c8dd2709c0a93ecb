#include "core/log.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <mutex>

#include "core/terminal.h"

namespace likeness {
namespace {

std::atomic<LogLevel> threshold{LogLevel::kInfo};
std::mutex prefix_mutex;
std::string prefix;

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

void log(LogLevel level, const char* name, std::string text) {
  if (level < threshold) return;
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string line = timestamp() + " " + name + "  ";
  {
    const std::lock_guard lock(prefix_mutex);
    if (!prefix.empty()) line += prefix + "  ";
  }
  print_line(line + text);
}

}  // namespace

void set_log_level(LogLevel level) { threshold = level; }

void set_log_prefix(const std::string& text) {
  const std::lock_guard lock(prefix_mutex);
  prefix = text;
}

void log_debug(const std::string& text) { log(LogLevel::kDebug, "debug", text); }
void log_info(const std::string& text) { log(LogLevel::kInfo, "info", text); }
void log_warn(const std::string& text) { log(LogLevel::kWarn, "warn", text); }
void log_error(const std::string& text) { log(LogLevel::kError, "error", text); }

}  // namespace likeness
