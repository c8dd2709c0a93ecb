// What every store computes in the same way: the digest of a set, and a first guess at its geometry.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/file.h"
#include "data/face_source.h"

namespace likeness::data {

// xxh3-128 over, for each picture in order, i64 label, u64 size in bytes and u64 xxh3-64 of its bytes, little-endian.
class SetDigest {
 public:
  void add(std::int64_t label, std::uint64_t bytes, std::uint64_t xxh3);
  std::string hex() const { return digest_.hex(); }

 private:
  Digest digest_;
};

// Reads every picture once. The same for the same pictures and labels, whatever store they lie in.
std::string source_digest(const FaceSource& source);

// Unknown points, and the size of the first picture: 0x0 when there is none or it is bad. A bad picture is no reason
// not to open a set; what to do about it is the reader's policy.
FaceGeometry geometry_of_first(const FaceSource& source);

}  // namespace likeness::data
