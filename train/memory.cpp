#include "train/memory.h"

#include <cstdio>
#include <fstream>

namespace likeness::train {

std::int64_t process_size(const std::string& line) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != line + ":") continue;
    std::int64_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

std::string bytes_text(std::int64_t bytes) {
  constexpr double kMi = 1 << 20, kGi = 1 << 30;
  const auto b = static_cast<double>(bytes);
  char text[32];
  if (b >= kGi)
    std::snprintf(text, sizeof text, "%.2f GiB", b / kGi);
  else
    std::snprintf(text, sizeof text, "%.1f MiB", b / kMi);
  return text;
}

}  // namespace likeness::train
