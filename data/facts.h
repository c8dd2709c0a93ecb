// Joins tables about pictures to the pictures: attributes and landmarks by record number, path or identity.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "data/face_source.h"

namespace likeness::data {

// How well a table fitted.
struct JoinReport {
  std::string by;  // "path", "key" or "identity"
  std::int64_t rows = 0;
  std::int64_t rows_without_picture = 0;
  std::int64_t pictures_without_row = 0;
};

// A table's rows belong to pictures by the first of these columns that it has:
//   path      relative to the table's own folder (or absolute); for a source that is no folder, the picture's key
//   key       the number in the picture's key: "record 17" is 17
//   identity  the identity's name; the row then holds for all its pictures
// Every other column but `label` and `identity` becomes an attribute; an empty field is unknown, and a+b is a and b at
// once. A column `male` of 0 and 1 (or -1 and 1), CelebA's form, becomes `gender` with female and male. Errors: kData
// naming file and line: none of the three columns, not one row that fits, a picture with two rows, a category
// beyond 64.
AttributeTable read_attributes(const FaceSource& source, const std::filesystem::path& csv, JoinReport& report);

// The same for five points: ten numbers (x,y of left eye, right eye, nose, left and right corner of the mouth) in the
// columns that are left. nullopt for pictures without a row.
std::vector<std::optional<Landmarks>> read_landmarks(const FaceSource& source, const std::filesystem::path& csv,
                                                     JoinReport& report);

}  // namespace likeness::data
