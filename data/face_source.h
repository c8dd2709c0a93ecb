// One interface over every store of labelled face pictures: *.faces.h5, a .rec in place, a folder of folders, a .bin
// pack.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "core/geometry.h"

namespace likeness::data {

// N encoded pictures (JPEG or PNG) with labels. All methods are const and safe from many threads; none takes a lock.
class FaceSource {
 public:
  virtual ~FaceSource() = default;
  virtual std::int64_t size() const = 0;  // N
  // The picture's bytes: inside the mapped file where it is one piece there (`scratch` stays untouched), else read or
  // joined into `scratch` (a folder's files, multi-part records). Valid until `scratch` changes or the source goes.
  virtual std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>& scratch) const = 0;
  virtual std::int64_t label(std::int64_t i) const = 0;  // [0, identities()), or -1: unknown
  virtual std::int64_t identities() const = 0;           // C
  virtual std::string identity_name(std::int64_t label) const = 0;
  virtual std::string key(std::int64_t i) const = 0;                     // "images/A/A_0001.jpg", "record 17"
  virtual FaceGeometry geometry() const = 0;                             // of the stored pictures
  virtual std::optional<Landmarks> landmarks(std::int64_t i) const = 0;  // in stored pixels; unaligned sets have them
  virtual AttributeTable attributes() const = 0;                         // per picture
  virtual std::string digest() const = 0;                                // xxh3-128 over labels and bytes
  virtual std::filesystem::path path() const = 0;
  // Pairs stored with the set (a .bin): pair p is pictures (first, second). Empty elsewhere.
  struct Pair {
    std::int64_t a, b;
    bool same;
  };
  virtual std::vector<Pair> pairs() const { return {}; }
};

// Opens whatever `path` is, by content. kData naming the path when it is none of the known stores.
std::unique_ptr<FaceSource> open_faces(const std::filesystem::path& path);

}  // namespace likeness::data
