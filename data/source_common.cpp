#include "data/source_common.h"

#include "core/error.h"
#include "data/jpeg.h"

namespace likeness::data {

void SetDigest::add(std::int64_t label, std::uint64_t bytes, std::uint64_t xxh3) {
  const std::uint64_t row[3] = {static_cast<std::uint64_t>(label), bytes, xxh3};
  digest_.add(std::as_bytes(std::span(row)));
}

std::string source_digest(const FaceSource& source) {
  SetDigest digest;
  std::vector<std::byte> scratch;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const auto bytes = source.encoded(i, scratch);
    digest.add(source.label(i), bytes.size(), xxh3_64(bytes));
  }
  return digest.hex();
}

FaceGeometry geometry_of_first(const FaceSource& source) {
  std::optional<PictureSize> size;
  try {
    std::vector<std::byte> scratch;
    if (source.size() > 0) size = picture_size(source.encoded(0, scratch));
  } catch (const Error&) {
  }
  return size ? FaceGeometry::unknown(size->width, size->height) : FaceGeometry::unknown(0, 0);
}

}  // namespace likeness::data
