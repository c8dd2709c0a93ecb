#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/hdf5.h"
#include "data/faces_file.h"

namespace likeness::data {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void damaged(const fs::path& path, const std::string& item, const std::string& expected,
                          const std::string& got) {
  fail_data({"faces file is damaged", path.string() + ", " + item, expected, got, "import the set again"});
}

// A column that stays in the mapped file. HDF5 does not align datasets, hence the copy of each value.
template <class T>
class Column {
 public:
  Column() = default;
  // The dataset has to be contiguous, of T's size, and to lie inside the file.
  Column(const h5::File& file, const MappedFile& map, const std::string& name, std::uint64_t count) {
    if (!file.has(name)) damaged(map.path(), name, "a dataset", "none");
    const h5::Handle set(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
    const h5::Handle type(H5Dget_type(set), H5Tclose), space(H5Dget_space(set), H5Sclose);
    const hssize_t points = space.valid() ? H5Sget_simple_extent_npoints(space) : -1;
    if (points < 0 || static_cast<std::uint64_t>(points) != count || H5Tget_size(type) != sizeof(T))
      damaged(map.path(), name, std::to_string(count) + " values of " + std::to_string(sizeof(T)) + " bytes",
              std::to_string(points) + " of " + std::to_string(type.valid() ? H5Tget_size(type) : 0));
    const haddr_t at = H5Dget_offset(set);
    if (count > 0 && (at == HADDR_UNDEF || at > map.size() || count > (map.size() - at) / sizeof(T)))
      damaged(map.path(), name, "contiguous data inside the file",
              at == HADDR_UNDEF ? "another layout" : "data beyond its end");
    data_ = count > 0 ? map.bytes().data() + at : nullptr;
    count_ = count;
  }
  T operator[](std::uint64_t i) const {
    if (i >= count_) throw std::out_of_range("picture number");
    T value;
    std::memcpy(&value, data_ + i * sizeof(T), sizeof(T));
    return value;
  }
  const std::byte* bytes() const { return data_; }
  std::uint64_t count() const { return count_; }

 private:
  const std::byte* data_ = nullptr;
  std::uint64_t count_ = 0;
};

std::uint64_t elements(const h5::File& file, const std::string& name) {
  if (!file.has(name)) damaged(file.path(), name, "a dataset", "none");
  std::uint64_t n = 1;
  for (const hsize_t d : file.shape(name)) n *= d;
  return n;
}

class MappedFaces : public FacesFile {
 public:
  explicit MappedFaces(const fs::path& path) : map_(path) {
    const h5::File file = h5::File::open(path);
    check_format(file);
    const std::int64_t pictures = file.int_attribute("pictures");
    classes_ = file.int_attribute("identities");
    if (pictures < 0 || classes_ < 0) damaged(path, "pictures, identities", "counts", "a negative number");
    n_ = static_cast<std::uint64_t>(pictures);
    data_ = Column<std::uint8_t>(file, map_, "data", elements(file, "data"));
    offset_ = Column<std::uint64_t>(file, map_, "offset", n_ + 1);
    label_ = Column<std::int64_t>(file, map_, "label", n_);
    size_ = Column<std::uint16_t>(file, map_, "size", 2 * n_);
    xxh3_ = Column<std::uint64_t>(file, map_, "xxh3", n_);
    if (file.has("landmarks")) landmarks_ = Column<float>(file, map_, "landmarks", 10 * n_);
    key_text_ = Column<std::uint8_t>(file, map_, "key/text", elements(file, "key/text"));
    key_offset_ = Column<std::uint64_t>(file, map_, "key/offset", n_ + 1);
    if (file.has("identity_names")) names_ = file.read_strings("identity_names");
    if (static_cast<std::int64_t>(names_.size()) != classes_)
      damaged(path, "identity_names", std::to_string(classes_) + " names", std::to_string(names_.size()));
    geometry_ = FaceGeometry::from_json(file.text_attribute("geometry"), path.string() + ", geometry");
    digest_ = file.text_attribute("digest");
    provenance_ = file.text_attribute("provenance");
    read_attributes(file);
    read_pairs(file);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(n_); }

  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>&) const override {
    const auto [begin, end] = slice(offset_, data_.count(), i, "offset");
    return {data_.bytes() + begin, end - begin};
  }

  std::int64_t label(std::int64_t i) const override {
    const std::int64_t label = label_[static_cast<std::uint64_t>(i)];
    if (label < -1 || label >= classes_)
      damaged(path(), key(i), "a label below " + std::to_string(classes_), std::to_string(label));
    return label;
  }

  std::string key(std::int64_t i) const override {
    const auto [begin, end] = slice(key_offset_, key_text_.count(), i, "key/offset");
    return {reinterpret_cast<const char*>(key_text_.bytes()) + begin, end - begin};
  }

  std::optional<Landmarks> landmarks(std::int64_t i) const override {
    if (landmarks_.count() == 0) return std::nullopt;
    Landmarks points;
    for (std::uint64_t k = 0; k < 5; ++k) {
      const std::uint64_t at = 10 * static_cast<std::uint64_t>(i) + 2 * k;
      points[k] = {landmarks_[at], landmarks_[at + 1]};
    }
    return points;
  }

  PictureSize picture_size(std::int64_t i) const override {
    const auto at = 2 * static_cast<std::uint64_t>(i);
    return {size_[at + 1], size_[at]};
  }

  std::int64_t identities() const override { return classes_; }
  std::string identity_name(std::int64_t label) const override { return names_.at(static_cast<std::size_t>(label)); }
  FaceGeometry geometry() const override { return geometry_; }
  AttributeTable attributes() const override { return attributes_; }
  std::string digest() const override { return digest_; }
  std::uint64_t checksum(std::int64_t i) const override { return xxh3_[static_cast<std::uint64_t>(i)]; }
  std::string provenance() const override { return provenance_; }
  fs::path path() const override { return map_.path(); }
  std::vector<Pair> pairs() const override { return pairs_; }

 private:
  void check_format(const h5::File& file) const {
    if (!file.has_attribute("format") || file.text_attribute("format") != "likeness.faces")
      fail_data(
          {"not a faces file", path().string(), "an HDF5 file with format \"likeness.faces\"",
           file.has_attribute("format") ? "format \"" + file.text_attribute("format") + "\"" : "no format attribute",
           ""});
    const std::int64_t version = file.int_attribute("format_version");
    if (version < 1 || version > kFacesFormatVersion)
      fail_data({"faces file has a version this program does not know", path().string(),
                 "1 to " + std::to_string(kFacesFormatVersion), std::to_string(version),
                 "a newer likeness wrote it; update"});
  }

  // Begin and end of row i of a variable-length column, checked against the bytes it points into.
  std::pair<std::uint64_t, std::uint64_t> slice(const Column<std::uint64_t>& offsets, std::uint64_t limit,
                                                std::int64_t i, const char* name) const {
    const auto row = static_cast<std::uint64_t>(i);
    if (i < 0 || row >= n_) throw std::out_of_range("picture number");
    const std::uint64_t begin = offsets[row], end = offsets[row + 1];
    if (begin > end || end > limit)
      damaged(path(), std::string(name) + " of picture " + std::to_string(i),
              "ascending offsets up to " + std::to_string(limit), std::to_string(begin) + ", " + std::to_string(end));
    return {begin, end};
  }

  void read_attributes(const h5::File& file) {
    if (!file.has("attribute_names")) return;
    for (const std::string& name : file.read_strings("attribute_names")) {
      AttributeColumn column{name, {}, {}};
      const std::string group = "attributes/" + name;
      if (!file.has(group + "/code")) damaged(path(), group + "/code", "a dataset", "none");
      column.codes = file.read<std::uint64_t>(group + "/code");
      column.categories = file.read_strings(group + "/category");
      if (column.codes.size() != n_ || column.categories.size() > 64)
        damaged(path(), group, std::to_string(n_) + " codes of at most 64 categories",
                std::to_string(column.codes.size()) + " of " + std::to_string(column.categories.size()));
      const std::uint64_t known = column.categories.size() == 64 ? ~0ull : (1ull << column.categories.size()) - 1;
      for (const std::uint64_t code : column.codes)
        if (code & ~known) damaged(path(), group + "/code", "bits of known categories", std::to_string(code));
      attributes_.columns.push_back(std::move(column));
    }
  }

  void read_pairs(const h5::File& file) {
    if (!file.has("pairs/picture")) return;
    const auto pictures = file.read<std::int64_t>("pairs/picture");
    const auto same = file.read<std::uint8_t>("pairs/same");
    if (pictures.size() != 2 * same.size())
      damaged(path(), "pairs", "two pictures for each", std::to_string(pictures.size()));
    for (std::size_t p = 0; p < same.size(); ++p) {
      const std::int64_t a = pictures[2 * p], b = pictures[2 * p + 1];
      if (std::min(a, b) < 0 || std::max(a, b) >= size())
        damaged(path(), "pair " + std::to_string(p), "pictures below " + std::to_string(n_),
                std::to_string(a) + ", " + std::to_string(b));
      pairs_.push_back({a, b, same[p] != 0});
    }
  }

  MappedFile map_;
  std::uint64_t n_ = 0;
  std::int64_t classes_ = 0;
  Column<std::uint8_t> data_, key_text_;
  Column<std::uint64_t> offset_, xxh3_, key_offset_;
  Column<std::int64_t> label_;
  Column<std::uint16_t> size_;
  Column<float> landmarks_;
  std::vector<std::string> names_;
  FaceGeometry geometry_;
  AttributeTable attributes_;
  std::vector<Pair> pairs_;
  std::string digest_, provenance_;
};

}  // namespace

std::unique_ptr<FacesFile> open_faces_file(const fs::path& path) { return std::make_unique<MappedFaces>(path); }

}  // namespace likeness::data
