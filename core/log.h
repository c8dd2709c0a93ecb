// Levelled lines on stderr, "2026-01-31 12:00:00 info  text". Programs and the trainer use it; other libraries stay silent.
#pragma once

#include <string>

namespace likeness {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

void set_log_level(LogLevel level);
// Prefixed to each line, e.g. "rank 3"; empty by default.
void set_log_prefix(const std::string& prefix);

// Thread-safe; one call is one line.
void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warn(const std::string& text);
void log_error(const std::string& text);

}  // namespace likeness
