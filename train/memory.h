// Sizes of memory: of this process, and for people.
#pragma once

#include <cstdint>
#include <string>

namespace likeness::train {

// A line of /proc/self/status that is a size ("RssAnon", "VmRSS", "VmHWM"), in bytes; 0 where the system does not say.
std::int64_t process_size(const std::string& line);

// "3.20 GiB", "12.0 MiB"
std::string bytes_text(std::int64_t bytes);

}  // namespace likeness::train
