// *.faces.h5, the store this project writes: pictures as they came (JPEG or PNG bytes) in one contiguous dataset, and
// what is known about each in columns. An HDF5 file that h5py reads; here it is mapped, and reading takes no HDF5 lock.
// The layout is specified in docs/formats/faces.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "data/face_source.h"
#include "data/jpeg.h"

namespace likeness::data {

inline constexpr std::int64_t kFacesFormatVersion = 1;

// What is known about one picture beside its bytes.
struct FaceEntry {
  std::int64_t label = -1;             // an index of identity_names, or -1: unknown
  PictureSize size;                    // at most 65535 each way
  std::string key;                     // unique in its set: "images/A/A_0001.jpg"
  std::optional<Landmarks> landmarks;  // for all pictures of a set or for none
};

// What is known about the set.
struct FacesMeta {
  FaceGeometry geometry;
  std::vector<std::string> identity_names;  // [C]
  AttributeTable attributes;                // columns of N rows
  std::vector<FaceSource::Pair> pairs;      // a verification pack's own list; else empty
  std::string provenance = "{}";            // one JSON object: source, options, versions
};

// Takes the pictures in order. Their bytes are not kept in memory; per picture about 60 bytes and its key are.
class FacesWriter {
 public:
  void add(std::span<const std::byte> encoded, FaceEntry entry);

 private:
  struct State;
  explicit FacesWriter(State& state) : state_(state) {}
  State& state_;
  friend struct FacesWriterAccess;
};

struct WrittenFaces {
  std::int64_t pictures = 0, identities = 0;
  std::uint64_t bytes = 0;  // of encoded pictures
  std::string digest;       // FaceSource::digest() of the file
};

// Writes a container whole or not at all. `bytes` is the sum of the encoded sizes where the caller knows it: pictures
// then go straight to their place. Else they are spooled to an unnamed file beside `path` and copied once. `fill` adds
// the pictures and returns what is known about the set. Errors: as write_atomically(); kData for an empty set, a
// picture beyond 65535 pixels, landmarks on only some pictures.
WrittenFaces write_faces(const std::filesystem::path& path, IfExists if_exists, std::optional<std::uint64_t> bytes,
                         const std::function<FacesMeta(FacesWriter&)>& fill);

// A container, mapped. Everything of FaceSource, and what only this store has.
class FacesFile : public FaceSource {
 public:
  virtual PictureSize picture_size(std::int64_t i) const = 0;
  virtual std::uint64_t checksum(std::int64_t i) const = 0;  // xxh3-64 of the picture's bytes as they were written
  virtual std::string provenance() const = 0;                // JSON
};

// Every header value is checked against the file's size; a damaged file is a kData error naming file and dataset.
std::unique_ptr<FacesFile> open_faces_file(const std::filesystem::path& path);

}  // namespace likeness::data
