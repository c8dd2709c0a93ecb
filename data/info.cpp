#include "data/info.h"

#include <algorithm>

#include "core/file.h"
#include "data/faces_file.h"

namespace likeness::data {
namespace {

std::string store_of(const FaceSource& source) {
  if (dynamic_cast<const FacesFile*>(&source)) return "faces.h5";
  if (std::filesystem::is_directory(source.path())) return "folder";
  return source.path().extension() == ".rec" ? "RecordIO" : "verification pack";
}

void count_identities(const FaceSource& source, SetInfo& info) {
  std::vector<std::int64_t> count(static_cast<std::size_t>(info.identities));
  for (std::int64_t i = 0; i < info.pictures; ++i) {
    const std::int64_t label = source.label(i);
    if (label < 0)
      ++info.unlabelled;
    else
      ++count[static_cast<std::size_t>(label)];
  }
  std::erase(count, 0);
  info.identities_with_pictures = static_cast<std::int64_t>(count.size());
  if (count.empty()) return;
  std::sort(count.begin(), count.end());
  info.fewest = count.front();
  info.median = count[count.size() / 2];
  info.most = count.back();
}

void look_at_pictures(const FaceSource& source, bool verify, SetInfo& info) {
  const auto* container = dynamic_cast<const FacesFile*>(&source);
  std::vector<std::byte> scratch;
  for (std::int64_t i = 0; i < info.pictures; ++i) {
    const auto encoded = source.encoded(i, scratch);
    info.bytes += encoded.size();
    // A container has written down what its import saw: its pictures need not be touched.
    const auto size = container && !verify ? container->picture_size(i) : picture_size(encoded);
    if (!size || (verify && container && xxh3_64(encoded) != container->checksum(i))) {
      ++info.damaged;
      continue;
    }
    const bool first = info.smallest == PictureSize{};
    info.smallest =
        first ? *size
              : PictureSize{std::min(info.smallest.width, size->width), std::min(info.smallest.height, size->height)};
    info.largest = {std::max(info.largest.width, size->width), std::max(info.largest.height, size->height)};
  }
}

void warn(SetInfo& info) {
  if (info.damaged > 0)
    info.warnings.push_back(std::to_string(info.damaged) +
                            " damaged pictures; import with --on-bad skip leaves them out");
  if (info.pairs == 0 && info.identities_with_pictures == 1)
    info.warnings.push_back("only one identity has pictures: nothing can be trained or compared on this set");
  if (!info.geometry.points && !info.has_landmarks)
    info.warnings.push_back(
        "nothing says where the faces stand; import with --points, --landmarks or --geometry to tell");
}

}  // namespace

SetInfo describe_faces(const FaceSource& source, bool verify) {
  SetInfo info;
  info.store = store_of(source);
  info.pictures = source.size();
  info.identities = source.identities();
  info.geometry = source.geometry();
  info.has_landmarks = info.pictures > 0 && source.landmarks(0).has_value();
  info.attributes = source.attributes();
  info.pairs = static_cast<std::int64_t>(source.pairs().size());
  info.digest = source.digest();
  count_identities(source, info);
  look_at_pictures(source, verify, info);
  warn(info);
  return info;
}

}  // namespace likeness::data
