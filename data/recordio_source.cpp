// The pictures of a .rec behind the one interface, read in place.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "data/recordio.h"
#include "data/source_common.h"

namespace likeness::data {
namespace {

// Classes of `property` ("classes,height,width", perhaps followed by a line with the number of pictures); -1 without
// one.
std::int64_t classes_of_property(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return -1;
  const std::string text = read_text(path);
  std::int64_t classes = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), classes);
  if (r.ec != std::errc() || classes < 0 || r.ptr == text.data() + text.size() || *r.ptr != ',')
    fail_data({"property file cannot be read", path.string(), "classes,height,width", text.substr(0, 40),
               "without the file, classes are counted from the labels"});
  return classes;
}

class RecordSource : public FaceSource {
 public:
  explicit RecordSource(const std::filesystem::path& rec) : records_(rec) {
    const auto idx = std::filesystem::path(rec).replace_extension(".idx");
    entries_ = std::filesystem::exists(idx) ? read_index(idx) : scan_index(records_);
    check_offsets(idx);
    drop_records_without_picture();
    classes_ = classes_of_property(rec.parent_path() / "property");
    if (classes_ < 0) count_classes();
    geometry_ = geometry_of_first(*this);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(entries_.size()); }

  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>& scratch) const override {
    return record(i, scratch).body;
  }

  std::int64_t label(std::int64_t i) const override {
    const std::int64_t label = stored_label(i);
    if (label >= classes_)
      fail_data({"label is not below the number of classes", where(i), std::to_string(classes_) + " classes (property)",
                 "label " + std::to_string(label), "correct `property`, or delete it so that classes are counted"});
    return label;
  }

  std::int64_t identities() const override { return classes_; }
  std::string identity_name(std::int64_t label) const override { return std::to_string(label); }
  std::string key(std::int64_t i) const override { return "record " + std::to_string(entry(i).key); }
  FaceGeometry geometry() const override { return geometry_; }
  std::optional<Landmarks> landmarks(std::int64_t) const override { return std::nullopt; }
  AttributeTable attributes() const override { return {}; }
  std::string digest() const override { return source_digest(*this); }
  std::filesystem::path path() const override { return records_.file().path(); }

 private:
  const IndexEntry& entry(std::int64_t i) const { return entries_.at(static_cast<std::size_t>(i)); }
  std::string where(std::int64_t i) const {
    return path().string() + ", record " + std::to_string(entry(i).key) + " at byte " + std::to_string(entry(i).offset);
  }
  Record record(std::int64_t i, std::vector<std::byte>& scratch) const {
    return records_.read(entry(i).offset, entry(i).key, scratch);
  }

  std::int64_t stored_label(std::int64_t i) const {
    std::vector<std::byte> scratch;
    const float value = record(i, scratch).label();
    if (!(value >= -1.f && value < 0x1p62f && value == std::floor(value)))
      fail_data({"label is not a class number", where(i), "a whole number from 0 on, or -1 for unknown",
                 std::to_string(value), ""});
    return static_cast<std::int64_t>(value);
  }

  // Offsets are checked now, records when they are read: opening touches the index, not the hundreds of gigabytes
  // behind it.
  void check_offsets(const std::filesystem::path& idx) const {
    const auto last = std::max_element(entries_.begin(), entries_.end(),
                                       [](const IndexEntry& a, const IndexEntry& b) { return a.offset < b.offset; });
    if (last == entries_.end()) return;
    if (last->offset >= records_.file().size())
      fail_data({"index points past the end of the file", idx.string() + ", key " + std::to_string(last->key),
                 "an offset below " + std::to_string(records_.file().size()), std::to_string(last->offset),
                 "the .rec is truncated, or the .idx belongs to another file"});
    std::vector<std::byte> scratch;
    records_.read(last->offset, last->key, scratch);  // a file cut in its last record is found out before any work
  }

  // Records without picture are 40 bytes long (48 where a label happens to look like the magic): only those are
  // touched.
  void drop_records_without_picture() {
    std::vector<std::uint64_t> starts;
    starts.reserve(entries_.size());
    for (const IndexEntry& e : entries_) starts.push_back(e.offset);
    std::sort(starts.begin(), starts.end());
    std::vector<std::byte> scratch;
    std::erase_if(entries_, [&](const IndexEntry& e) {
      const auto next = std::upper_bound(starts.begin(), starts.end(), e.offset);
      const std::uint64_t end = next == starts.end() ? records_.file().size() : *next;
      return end - e.offset <= 48 && records_.read(e.offset, e.key, scratch).holds_no_picture();
    });
  }

  void count_classes() {
    classes_ = 0;
    for (std::int64_t i = 0; i < size(); ++i) classes_ = std::max(classes_, stored_label(i) + 1);
  }

  RecordFile records_;
  std::vector<IndexEntry> entries_;
  std::int64_t classes_ = 0;
  FaceGeometry geometry_;
};

}  // namespace

std::unique_ptr<FaceSource> open_recordio(const std::filesystem::path& rec) {
  return std::make_unique<RecordSource>(rec);
}

}  // namespace likeness::data
