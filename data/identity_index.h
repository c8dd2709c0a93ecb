// The pictures of each identity, for a sampler that draws several of one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/face_source.h"

namespace likeness::data {

// Immutable: safe from many threads. 8 bytes for each picture and each identity.
class IdentityIndex {
 public:
  explicit IdentityIndex(const FaceSource& source);
  // [N], -1 for unknown.
  explicit IdentityIndex(const std::vector<std::int64_t>& labels);
  // Identities with two pictures or more; the others, and pictures of nobody known, are left out.
  std::int64_t identities() const { return static_cast<std::int64_t>(begin_.size()) - 1; }
  // Of identity i of those, 0 <= i < identities(), ascending.
  std::span<const std::int64_t> pictures(std::int64_t i) const;

 private:
  std::vector<std::int64_t> pictures_;  // by identity
  std::vector<std::int64_t> begin_;     // [identities() + 1]
};

}  // namespace likeness::data
