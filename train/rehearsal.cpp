#include "train/rehearsal.h"

#include <filesystem>

namespace likeness::train {

namespace fs = std::filesystem;

std::string set_name(const std::string& entry) {
  const std::size_t against = entry.find(kAgainst);
  if (against != std::string::npos)
    return set_name(entry.substr(0, against)) + kAgainst +
           fs::path(entry.substr(against + std::string(kAgainst).size())).stem().string();
  const std::size_t cut = entry.find('=');
  fs::path set = fs::path(entry.substr(0, cut)).filename();
  for (const char* extension : {".h5", ".faces", ".bin", ".rec"})
    if (set.extension() == extension) set = set.stem();
  return cut == std::string::npos ? set.string() : set.string() + "=" + fs::path(entry.substr(cut + 1)).stem().string();
}

std::vector<float> NoiseEngine::run(const std::vector<float>&, std::int64_t n) {
  std::vector<float> out(static_cast<std::size_t>(n * contract_.dimension));
  Rng rng(0, Purpose::kTest, 0, calls_++);
  for (float& value : out) value = static_cast<float>(rng.normal());
  return out;
}

}  // namespace likeness::train
