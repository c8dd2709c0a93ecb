// Which free block serves a request: the rule of the memory cache (allocator.h), apart from memory itself so that a
// forecast (footprint.h) follows the same one.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace likeness::model {

// Blocks are never split and never returned. Training asks for the same sizes again and again, so a block is taken for
// a tensor that fills at least half of it, the smallest such block first, and the lists settle after the first step.
template <class Handle>
class FreeBlocks {
 public:
  static constexpr std::size_t kLarge = 1 << 20;     // bytes; below this glibc's own bins do well
  static constexpr std::size_t kHugePage = 2 << 20;  // bytes

  // A new block for so many bytes.
  static std::size_t rounded(std::size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

  std::optional<std::pair<std::size_t, Handle>> take(std::size_t bytes) {
    const auto fit = free_.lower_bound(bytes);
    if (fit == free_.end() || fit->first / 2 > bytes) return std::nullopt;
    const std::pair<std::size_t, Handle> block = *fit;
    free_.erase(fit);
    return block;
  }
  void give(std::size_t size, Handle block) { free_.emplace(size, block); }

 private:
  std::multimap<std::size_t, Handle> free_;
};

}  // namespace likeness::model
