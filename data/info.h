// What a set of faces holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "core/geometry.h"
#include "data/face_source.h"
#include "data/jpeg.h"

namespace likeness::data {

struct SetInfo {
  std::string store;  // "faces.h5", "RecordIO", "folder", "verification pack"
  std::int64_t pictures = 0;
  std::int64_t identities = 0;  // classes, with or without pictures
  std::int64_t identities_with_pictures = 0;
  std::int64_t fewest = 0, median = 0, most = 0;  // pictures for an identity that has any
  std::int64_t unlabelled = 0;
  PictureSize smallest, largest;  // each way for itself
  std::uint64_t bytes = 0;        // of encoded pictures
  std::int64_t pairs = 0;
  bool has_landmarks = false;
  FaceGeometry geometry;
  AttributeTable attributes;
  std::string digest;
  std::int64_t damaged = 0;           // pictures whose header cannot be read, or with other bytes than were imported
  std::vector<std::string> warnings;  // "only one identity: …"
};

// Looks at every picture's header and label; `verify` also compares a container's bytes with their checksums.
// Errors: kData as the source's methods.
SetInfo describe_faces(const FaceSource& source, bool verify);

}  // namespace likeness::data
