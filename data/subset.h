// A set of faces without some of its pictures: what cleaning leaves of it, without another copy on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "data/face_source.h"

namespace likeness::data {

// `source` without the pictures `dropped` (indices in it, any order, repeats count once). Labels, identities, keys and
// geometry stay as they are, so an identity may be left with no picture; the digest is another one. Costs 8 bytes for
// each picture dropped and a binary search for each access.
std::unique_ptr<FaceSource> without_pictures(std::unique_ptr<FaceSource> source, std::vector<std::int64_t> dropped);

// The pictures that a CSV lists in its column `record` (their keys), ascending; other columns are ignored. kData naming
// the file: no such column, or the first record that the set does not have.
std::vector<std::int64_t> listed_pictures(const FaceSource& source, const std::filesystem::path& csv);

}  // namespace likeness::data
