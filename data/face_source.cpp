#include "data/face_source.h"

#include <cstring>

#include "core/error.h"
#include "data/faces_file.h"
#include "data/image_folder.h"
#include "data/recordio.h"
#include "data/verification_bin.h"

namespace likeness::data {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> records_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".rec") found.push_back(entry.path());
  return found;
}

bool starts_with(std::span<const std::byte> bytes, const char* magic, std::size_t n) {
  return bytes.size() >= n && std::memcmp(bytes.data(), magic, n) == 0;
}

// A pickle of a tuple or list: protocol 2 and later say so in their first byte, 0 and 1 begin with a mark or a list.
bool looks_like_pickle(std::span<const std::byte> bytes) {
  return starts_with(bytes, "\x80", 1) || starts_with(bytes, "(", 1) || starts_with(bytes, "]", 1);
}

}  // namespace

std::unique_ptr<FaceSource> open_faces(const fs::path& path) {
  if (fs::is_directory(path)) {
    const auto records = records_in(path);
    if (records.size() > 1)
      fail_data(
          {"folder holds several .rec files", path.string(), "one", std::to_string(records.size()), "name the file"});
    return records.empty() ? open_image_folder(path) : open_recordio(records.front());
  }
  const MappedFile file(path);
  if (starts_with(file.bytes(), "\x89HDF\r\n\x1a\n", 8)) return open_faces_file(path);
  // By name too: a damaged .rec is told about its damage, not that it is unknown.
  if (starts_with(file.bytes(), "\x0a\x23\xd7\xce", 4) || path.extension() == ".rec") return open_recordio(path);
  if (looks_like_pickle(file.bytes()) || path.extension() == ".bin") return open_verification_bin(path);
  fail_data({"not a set of faces", path.string(), "*.faces.h5, a .rec, a folder of folders or a verification .bin",
             "another kind of file", ""});
}

}  // namespace likeness::data
