#include "data/recordio.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/error.h"

namespace likeness::data {
namespace {

constexpr std::uint32_t kMagic = 0xced7230a;
constexpr std::size_t kImageHeader = 24;  // flag, label, id, id2
constexpr std::uint32_t kWhole = 0, kFirst = 1, kMiddle = 2, kLast = 3;

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

struct Place {
  const std::filesystem::path& path;
  std::uint64_t key, offset;
  std::string text() const {
    return path.string() + ", record " + std::to_string(key) + " at byte " + std::to_string(offset);
  }
};

struct Part {
  std::uint32_t flag;
  std::span<const std::byte> bytes;
  std::uint64_t next;
};

Part read_part(std::span<const std::byte> file, std::uint64_t at, const Place& place) {
  if (at > file.size() || file.size() - at < 8)
    fail_data({"record lies outside the file", place.text(), "8 bytes of record head at byte " + std::to_string(at),
               "a file of " + std::to_string(file.size()) + " bytes",
               "the .rec is truncated, or its .idx belongs to another file"});
  const auto magic = load<std::uint32_t>(file.data() + at);
  if (magic != kMagic) {
    char got[16];
    std::snprintf(got, sizeof got, "%08x", magic);
    fail_data({"no record begins here", place.text(), "the magic number ced7230a", got,
               "the file is damaged, or its .idx belongs to another file"});
  }
  const auto head = load<std::uint32_t>(file.data() + at + 4);
  const std::uint64_t length = head & 0x1fffffff, room = file.size() - at - 8;
  if (length > room)
    fail_data({"record is cut off", place.text(), std::to_string(length) + " bytes",
               std::to_string(room) + " bytes up to the end", "the .rec is truncated; fetch it again"});
  // The last record of a file may lack its padding.
  return {head >> 29, file.subspan(at + 8, length), at + 8 + std::min((length + 3) / 4 * 4, room)};
}

}  // namespace

float Record::label(std::size_t k) const {
  if (flag == 0) return header_label;
  return load<float>(labels.data() + 4 * k);
}

Record read_record(std::span<const std::byte> file, std::uint64_t offset, std::uint64_t key,
                   const std::filesystem::path& path, std::vector<std::byte>& scratch) {
  const Place place{path, key, offset};
  Part part = read_part(file, offset, place);
  auto wrong_part = [&](const char* expected) {
    fail_data({"parts of a record are out of order", place.text(), expected, "part flag " + std::to_string(part.flag),
               "the file is damaged, or its .idx belongs to another file"});
  };
  Record record;
  std::span<const std::byte> payload = part.bytes;
  if (part.flag == kFirst) {
    scratch.assign(part.bytes.begin(), part.bytes.end());
    do {
      part = read_part(file, part.next, place);
      if (part.flag != kMiddle && part.flag != kLast) wrong_part("a middle or last part (2 or 3)");
      const auto* magic = reinterpret_cast<const std::byte*>(&kMagic);
      scratch.insert(scratch.end(), magic, magic + 4);
      scratch.insert(scratch.end(), part.bytes.begin(), part.bytes.end());
      ++record.parts;
    } while (part.flag != kLast);
    payload = scratch;
  } else if (part.flag != kWhole) {
    wrong_part("a whole record or its first part (0 or 1)");
  }
  record.next = part.next;
  if (payload.size() < kImageHeader)
    fail_data({"record is too short for its picture header", place.text(), "24 bytes or more",
               std::to_string(payload.size()), "this .rec does not hold pictures as MXNet packs them"});
  record.flag = load<std::uint32_t>(payload.data());
  record.header_label = load<float>(payload.data() + 4);
  record.id = load<std::uint64_t>(payload.data() + 8);
  record.id2 = load<std::uint64_t>(payload.data() + 16);
  payload = payload.subspan(kImageHeader);
  if (record.flag > payload.size() / 4)
    fail_data({"record says it has more labels than bytes", place.text(),
               "at most " + std::to_string(payload.size() / 4) + " labels", std::to_string(record.flag),
               "the file is damaged"});
  record.labels = payload.first(std::size_t{4} * record.flag);
  record.body = payload.subspan(std::size_t{4} * record.flag);
  return record;
}

std::vector<IndexEntry> read_index(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::vector<IndexEntry> entries;
  entries.reserve(text.size() / 12);
  const char *at = text.data(), *end = at + text.size();
  for (std::size_t line = 1; at < end; ++line) {
    const char* stop = std::find(at, end, '\n');
    IndexEntry entry{};
    const auto key = std::from_chars(at, stop, entry.key);
    const bool separated = key.ec == std::errc() && key.ptr < stop && (*key.ptr == '\t' || *key.ptr == ' ');
    const auto offset = separated ? std::from_chars(key.ptr + 1, stop, entry.offset) : key;
    const bool blank = at == stop || (*at == '\r' && at + 1 == stop);
    if (!blank && (!separated || offset.ec != std::errc() || (offset.ptr != stop && *offset.ptr != '\r')))
      fail_data({"index line cannot be read", path.string() + ", line " + std::to_string(line), "key<TAB>offset",
                 std::string(at, std::min<std::ptrdiff_t>(stop - at, 40)), ""});
    if (!blank) entries.push_back(entry);
    at = stop + (stop < end);
  }
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) { return a.key < b.key; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (entries[i].key == entries[i - 1].key)
      fail_data({"index has a key twice", path.string(), "one line for each key",
                 "key " + std::to_string(entries[i].key), ""});
  return entries;
}

std::vector<IndexEntry> scan_index(const RecordFile& file) {
  std::vector<IndexEntry> by_id, by_position;
  std::vector<std::byte> scratch;
  for (std::uint64_t at = 0; at < file.file().size();) {
    const Record record = file.read(at, by_position.size(), scratch);
    by_position.push_back({by_position.size(), at});
    by_id.push_back({record.id, at});
    at = record.next;
  }
  std::sort(by_id.begin(), by_id.end(), [](const IndexEntry& a, const IndexEntry& b) { return a.key < b.key; });
  const auto twice = std::adjacent_find(by_id.begin(), by_id.end(),
                                        [](const IndexEntry& a, const IndexEntry& b) { return a.key == b.key; });
  return twice == by_id.end() ? by_id : by_position;
}

}  // namespace likeness::data
