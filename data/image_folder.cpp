#include "data/image_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "data/source_common.h"

namespace likeness::data {
namespace {

namespace fs = std::filesystem;

bool is_picture_name(const fs::path& path) {
  std::string e = path.extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return std::tolower(c); });
  return e == ".jpg" || e == ".jpeg" || e == ".png";
}

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && entry.path().filename().string().front() != '.')
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void read_whole(const fs::path& path, std::vector<std::byte>& out) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat st {};
  bool ok = fd >= 0 && ::fstat(fd, &st) == 0;
  std::size_t got = 0;
  if (ok) out.resize(static_cast<std::size_t>(st.st_size));
  while (ok && got < out.size()) {
    const ssize_t n = ::read(fd, out.data() + got, out.size() - got);
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0;
    if (ok) got += static_cast<std::size_t>(n);
  }
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  if (!ok) fail_data({"picture cannot be read", path.string(), "a readable file", why, ""});
}

class FolderSource : public FaceSource {
 public:
  explicit FolderSource(const fs::path& folder) : root_(folder) {
    std::string prefix;
    identities_ = folders_in(root_);
    if (identities_ == std::vector<std::string>{"images"}) {
      prefix = "images/";
      identities_ = folders_in(root_ / "images");
    }
    refuse_loose_pictures(root_ / prefix);
    for (std::size_t label = 0; label < identities_.size(); ++label) {
      const std::size_t first = keys_.size();
      // Keys by cutting off the root's name: path arithmetic costs more than reading a small picture.
      const fs::path person = root_ / prefix / identities_[label];
      const std::size_t cut = person.native().size() - prefix.size() - identities_[label].size();
      for (const auto& entry : fs::recursive_directory_iterator(person))
        if (entry.is_regular_file() && is_picture_name(entry.path()))
          keys_.push_back(entry.path().native().substr(cut));
      std::sort(keys_.begin() + static_cast<std::ptrdiff_t>(first), keys_.end());
      labels_.resize(keys_.size(), static_cast<std::int64_t>(label));
    }
    geometry_ = geometry_of_first(*this);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(keys_.size()); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>& scratch) const override {
    read_whole(root_ / keys_.at(static_cast<std::size_t>(i)), scratch);
    return scratch;
  }
  std::int64_t label(std::int64_t i) const override { return labels_.at(static_cast<std::size_t>(i)); }
  std::int64_t identities() const override { return static_cast<std::int64_t>(identities_.size()); }
  std::string identity_name(std::int64_t label) const override {
    return identities_.at(static_cast<std::size_t>(label));
  }
  std::string key(std::int64_t i) const override { return keys_.at(static_cast<std::size_t>(i)); }
  FaceGeometry geometry() const override { return geometry_; }
  std::optional<Landmarks> landmarks(std::int64_t) const override { return std::nullopt; }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return source_digest(*this); }
  fs::path path() const override { return root_; }

 private:
  static void refuse_loose_pictures(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file() && is_picture_name(entry.path()))
        fail_data({"picture lies outside the identity folders", entry.path().string(), "one folder for each identity",
                   "a picture beside them", "move it into its identity's folder, or away"});
  }

  fs::path root_;
  std::vector<std::string> identities_, keys_;
  std::vector<std::int64_t> labels_;
  FaceGeometry geometry_;
};

}  // namespace

std::unique_ptr<FaceSource> open_image_folder(const fs::path& folder) { return std::make_unique<FolderSource>(folder); }

}  // namespace likeness::data
