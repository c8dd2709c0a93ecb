#include "data/subset.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/file.h"
#include "data/csv.h"

namespace likeness::data {
namespace {

class Subset : public FaceSource {
 public:
  Subset(std::unique_ptr<FaceSource> source, std::vector<std::int64_t> dropped)
      : source_(std::move(source)), before_(std::move(dropped)) {
    std::sort(before_.begin(), before_.end());
    before_.erase(std::unique(before_.begin(), before_.end()), before_.end());
    LIKENESS_ASSERT(before_.empty() || (before_.front() >= 0 && before_.back() < source_->size()));
    Digest digest;
    digest.add(source_->digest()).add(std::as_bytes(std::span(before_)));
    digest_ = digest.hex();
    for (std::size_t k = 0; k < before_.size(); ++k) before_[k] -= static_cast<std::int64_t>(k);
  }

  std::int64_t size() const override { return source_->size() - static_cast<std::int64_t>(before_.size()); }
  std::span<const std::byte> encoded(std::int64_t i, std::vector<std::byte>& scratch) const override {
    return source_->encoded(at(i), scratch);
  }
  std::int64_t label(std::int64_t i) const override { return source_->label(at(i)); }
  std::int64_t identities() const override { return source_->identities(); }
  std::string identity_name(std::int64_t label) const override { return source_->identity_name(label); }
  std::string key(std::int64_t i) const override { return source_->key(at(i)); }
  FaceGeometry geometry() const override { return source_->geometry(); }
  std::optional<Landmarks> landmarks(std::int64_t i) const override { return source_->landmarks(at(i)); }
  AttributeTable attributes() const override {
    AttributeTable table = source_->attributes();
    for (AttributeColumn& column : table.columns) {
      for (std::int64_t i = 0; i < size(); ++i)
        column.codes[static_cast<std::size_t>(i)] = column.codes[static_cast<std::size_t>(at(i))];
      column.codes.resize(static_cast<std::size_t>(size()));
    }
    return table;
  }
  std::string digest() const override { return digest_; }
  std::filesystem::path path() const override { return source_->path(); }
  std::vector<Pair> pairs() const override {
    std::vector<Pair> kept;
    for (const Pair& p : source_->pairs())
      if (const std::int64_t a = place_of(p.a), b = place_of(p.b); a >= 0 && b >= 0) kept.push_back({a, b, p.same});
    return kept;
  }

 private:
  // The source's index of picture i: i and as many as were dropped before it.
  std::int64_t at(std::int64_t i) const {
    return i + (std::upper_bound(before_.begin(), before_.end(), i) - before_.begin());
  }
  // The other way; -1 for a dropped picture.
  std::int64_t place_of(std::int64_t index) const {
    std::int64_t low = std::max<std::int64_t>(0, index - static_cast<std::int64_t>(before_.size())), high = index;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (at(middle) < index)
        low = middle + 1;
      else
        high = middle;
    }
    return low < size() && at(low) == index ? low : -1;
  }

  std::unique_ptr<FaceSource> source_;
  std::vector<std::int64_t> before_;  // of dropped picture k in ascending order: the pictures kept before it
  std::string digest_;
};

}  // namespace

std::unique_ptr<FaceSource> without_pictures(std::unique_ptr<FaceSource> source, std::vector<std::int64_t> dropped) {
  return std::make_unique<Subset>(std::move(source), std::move(dropped));
}

std::vector<std::int64_t> listed_pictures(const FaceSource& source, const std::filesystem::path& csv) {
  CsvReader reader(csv);
  const int column = reader.column("record");
  if (column < 0)
    fail_data({"list of pictures has no column of records", csv.string(), "a column named record", reader.header()[0],
               "`likeness train drop` writes such a list"});
  std::unordered_set<std::string> wanted;
  std::vector<std::string> row;
  while (reader.next(row)) wanted.insert(row[static_cast<std::size_t>(column)]);
  std::vector<std::int64_t> listed;
  std::unordered_set<std::string> found;
  for (std::int64_t i = 0; i < source.size() && !wanted.empty(); ++i)
    if (const std::string key = source.key(i); wanted.contains(key)) listed.push_back(i), found.insert(key);
  CsvReader again(csv);
  while (found.size() < wanted.size() && again.next(row))
    if (const std::string& record = row[static_cast<std::size_t>(column)]; !found.contains(record))
      fail_data({"listed record is not in the set", again.where(), "a record of " + source.path().string(), record,
                 "the list belongs to another set, or the set was imported again under other names"});
  return listed;
}

}  // namespace likeness::data
