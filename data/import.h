// Any store of faces into one *.faces.h5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/geometry.h"
#include "data/face_source.h"
#include "data/faces_file.h"
#include "data/facts.h"
#include "data/loader.h"

namespace likeness::data {

struct ImportOptions {
  std::filesystem::path attributes;  // table, empty: none (what the source itself knows is kept)
  std::filesystem::path landmarks;   // table of five points for each picture
  std::string points;                // "x,y x,y …": five points that all pictures share
  std::string geometry;              // "arcface": the pictures already stand in the field's template; "": unknown
  OnBad on_bad = OnBad::kFail;       // a set that lost pictures unnoticed would be judged as another set
  bool verify = false;  // decode every picture; else headers and ends are looked at, a hundred times faster
  int threads = 0;      // for looking at the pictures; 0: all cores
};

struct ImportReport {
  WrittenFaces written;
  FaceGeometry geometry;
  bool has_landmarks = false;
  AttributeTable attributes;         // of the pictures written
  std::int64_t skipped = 0;          // bad pictures, with OnBad::kSkip
  std::vector<std::string> reasons;  // of the first 100
  std::optional<JoinReport> attribute_rows, landmark_rows;
};

// Looks at every picture, then writes the container whole or not at all, streaming: memory does not grow with the
// pictures' bytes. Progress: `tick(n)` after n more pictures were written, if given. Errors: kUsage for options that
// exclude each other; kData for a bad picture (OnBad::kFail), an empty set, points for pictures of different sizes;
// those of write_faces().
ImportReport import_faces(const FaceSource& source, const std::filesystem::path& out, IfExists if_exists,
                          const ImportOptions& options, const std::function<void(std::int64_t)>& tick = nullptr);

// What is wrong with an encoded picture by its header and end (and by decoding it where these leave a doubt, or
// `verify` asks for it); its size. kData naming `where`.
PictureSize inspect_picture(std::span<const std::byte> encoded, bool verify, const std::string& where);

}  // namespace likeness::data
