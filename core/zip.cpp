// The layout is PKWARE's APPNOTE 6.3: local headers with members, then the central directory, then its own place.
#include "core/zip.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file_descriptor.h"

namespace likeness {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::uint64_t kAlignment = 64;

// Bytes by little-endian fields; whoever reads beyond the end is told so.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}
  std::span<const std::byte> piece(std::uint64_t at, std::uint64_t n) const {
    if (at > bytes_.size() || n > bytes_.size() - at)
      refuse("members inside the file of " + std::to_string(bytes_.size()) + " bytes", "one that ends beyond it");
    return bytes_.subspan(at, n);
  }
  template <class T>
  T at(std::uint64_t place) const {
    T value;
    std::memcpy(&value, piece(place, sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(std::uint64_t at, std::uint64_t n) const {
    const auto taken = piece(at, n);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::uint64_t size() const { return bytes_.size(); }
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    fail_data({.what = "not a zip archive that can be read", .where = where_, .expected = expected, .got = got});
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
};

struct Directory {
  std::uint64_t at = 0, entries = 0;
};

Directory find_directory(const Fields& f) {
  if (f.size() < kEndSize) f.refuse("a zip archive", std::to_string(f.size()) + " bytes");
  // The end record may be followed by a comment of up to 64 KiB.
  const std::uint64_t last = f.size() - kEndSize, first = last > 0xffff ? last - 0xffff : 0;
  for (std::uint64_t at = last + 1; at-- > first;) {
    if (f.at<std::uint32_t>(at) != kEnd) continue;
    Directory d{f.at<std::uint32_t>(at + 16), f.at<std::uint16_t>(at + 10)};
    const bool wide = at >= kLocator64Size && f.at<std::uint32_t>(at - kLocator64Size) == kLocator64;
    if (!wide) return d;
    const auto end64 = f.at<std::uint64_t>(at - kLocator64Size + 8);
    if (f.piece(end64, kEnd64Size).empty() || f.at<std::uint32_t>(end64) != kEnd64)
      f.refuse("a ZIP64 end record where its locator says", "something else");
    return {f.at<std::uint64_t>(end64 + 48), f.at<std::uint64_t>(end64 + 32)};
  }
  f.refuse("a zip archive", "no directory at its end: the file is truncated, or of another kind");
}

struct Entry {
  std::string name;
  std::uint64_t size = 0, local = 0;
  std::uint32_t crc = 0;
};

// Sizes and places that do not fit 32 bits stand in the extra field 1, in this order.
void widen(const Fields& f, std::uint64_t extra, std::uint64_t length, std::uint64_t* packed, Entry* entry) {
  for (std::uint64_t at = extra; at + 4 <= extra + length;) {
    const std::uint16_t id = f.at<std::uint16_t>(at), size = f.at<std::uint16_t>(at + 2);
    std::uint64_t next = at + 4;
    if (id == 1)
      for (std::uint64_t* value : {&entry->size, packed, &entry->local})
        if (*value == 0xffffffff) *value = f.at<std::uint64_t>(next), next += 8;
    at += 4u + size;
  }
}

Entry read_entry(const Fields& f, std::uint64_t* at) {
  if (f.at<std::uint32_t>(*at) != kCentral) f.refuse("a directory entry", "something else");
  const auto flags = f.at<std::uint16_t>(*at + 8), method = f.at<std::uint16_t>(*at + 10);
  const std::uint64_t name = f.at<std::uint16_t>(*at + 28), extra = f.at<std::uint16_t>(*at + 30),
                      comment = f.at<std::uint16_t>(*at + 32);
  std::uint64_t packed = f.at<std::uint32_t>(*at + 20);
  Entry entry{.name = f.text(*at + kCentralSize, name),
              .size = f.at<std::uint32_t>(*at + 24),
              .local = f.at<std::uint32_t>(*at + 42),
              .crc = f.at<std::uint32_t>(*at + 16)};
  widen(f, *at + kCentralSize + name, extra, &packed, &entry);
  if (method != 0 || (flags & 1) != 0 || packed != entry.size)
    f.refuse("members that are stored as they are", entry.name.substr(0, 80) + ", compressed or encrypted");
  *at += kCentralSize + name + extra + comment;
  return entry;
}

template <class T>
void append(std::vector<std::byte>* out, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out->insert(out->end(), bytes.begin(), bytes.end());
}

// What a local header and the directory say alike, from the version on.
void append_common(const ZipMember& m, std::uint32_t crc, std::uint16_t extra, std::vector<std::byte>* out) {
  const auto size = static_cast<std::uint32_t>(m.bytes.size());
  append<std::uint16_t>(out, 20), append<std::uint16_t>(out, 0x0800), append<std::uint16_t>(out, 0);  // UTF-8, stored
  append<std::uint16_t>(out, 0), append<std::uint16_t>(out, 0x21);  // 1980-01-01, the first day there is
  append(out, crc), append(out, size), append(out, size);
  append(out, static_cast<std::uint16_t>(m.name.size())), append(out, extra);
}

void append_text(const std::string& text, std::vector<std::byte>* out) {
  const auto bytes = std::as_bytes(std::span(text));
  out->insert(out->end(), bytes.begin(), bytes.end());
}

// For a member whose header begins at byte `at`.
std::vector<std::byte> local_header(const ZipMember& m, std::uint32_t crc, std::uint64_t at) {
  // An extra field of its own fills the header up to the alignment; it takes 4 bytes at least.
  const std::uint64_t bare = at + kLocalSize + m.name.size() + 4;
  const auto fill = static_cast<std::uint16_t>((kAlignment - bare % kAlignment) % kAlignment);
  std::vector<std::byte> header;
  append(&header, kLocal);
  append_common(m, crc, static_cast<std::uint16_t>(fill + 4), &header);
  append_text(m.name, &header);
  append<std::uint16_t>(&header, 0x4246), append(&header, fill);  // "FB", PyTorch's own
  header.resize(header.size() + fill);
  return header;
}

void append_entry(const ZipMember& m, std::uint32_t crc, std::uint32_t place, std::vector<std::byte>* directory) {
  append(directory, kCentral);
  append<std::uint16_t>(directory, 20);
  append_common(m, crc, 0, directory);
  for (int unused = 0; unused < 3; ++unused) append<std::uint16_t>(directory, 0);  // comment, disk, kind of text
  append<std::uint32_t>(directory, 0);                                             // attributes
  append(directory, place);
  append_text(m.name, directory);
}

}  // namespace

ZipArchive::ZipArchive(std::span<const std::byte> bytes, const std::string& where) : where_(where) {
  const Fields f(bytes, where_);
  const Directory directory = find_directory(f);
  std::uint64_t at = directory.at;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    Entry e = read_entry(f, &at);
    if (f.at<std::uint32_t>(e.local) != kLocal) f.refuse("a member where the directory says", "something else");
    const std::uint64_t begin =
        e.local + kLocalSize + f.at<std::uint16_t>(e.local + 26) + f.at<std::uint16_t>(e.local + 28);
    if (!members_.emplace(e.name, Member{f.piece(begin, e.size), e.crc}).second)
      f.refuse("every member once", e.name.substr(0, 80) + " twice");
  }
}

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

std::span<const std::byte> ZipArchive::member(const std::string& name) const {
  const auto it = members_.find(name);
  if (it == members_.end())
    fail_data({.what = "member of a zip archive is missing", .where = where_, .expected = name, .got = "none"});
  if (crc32(it->second.bytes) != it->second.crc)
    fail_data({.what = "member of a zip archive is damaged",
               .where = where_ + ", " + name,
               .expected = "the CRC-32 in its directory",
               .got = "another",
               .hint = "fetch the file again"});
  return it->second.bytes;
}

void write_zip(const std::filesystem::path& path, IfExists if_exists, const std::vector<ZipMember>& members) {
  std::uint64_t total = 0;
  for (const ZipMember& m : members) total += m.bytes.size() + 2 * m.name.size() + 256;
  if (total > 0xffffffffu || members.size() > 0xfffe)
    fail_usage({.what = "too large for a zip archive without ZIP64",
                .where = path.string(),
                .expected = "at most 4 GB and 65,534 members",
                .got = std::to_string(total) + " bytes, " + std::to_string(members.size()) + " members",
                .hint = "safetensors has no such limit"});
  write_atomically(path, if_exists, [&](const std::filesystem::path& temporary) {
    const FileDescriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file.get() < 0)
      fail_environment({.what = "file cannot be written", .where = path.string(), .got = std::strerror(errno)});
    std::uint64_t at = 0;
    const auto put = [&](std::span<const std::byte> bytes) {
      write_all(file.get(), bytes, path);
      at += bytes.size();
    };
    std::vector<std::byte> directory;
    for (const ZipMember& m : members) {
      const std::uint32_t crc = crc32(m.bytes);
      const auto place = static_cast<std::uint32_t>(at);
      put(local_header(m, crc, at));
      put(m.bytes);
      append_entry(m, crc, place, &directory);
    }
    const auto begin = static_cast<std::uint32_t>(at);
    const auto count = static_cast<std::uint16_t>(members.size());
    put(directory);
    std::vector<std::byte> end;
    append(&end, kEnd), append<std::uint32_t>(&end, 0);  // one disk
    append(&end, count), append(&end, count);
    append(&end, static_cast<std::uint32_t>(directory.size())), append(&end, begin);
    append<std::uint16_t>(&end, 0);  // no comment
    put(end);
  });
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  // Eight tables: eight bytes a turn ("slicing by 8", Kounavis and Berry 2005).
  static const auto kTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[0][i] = i;
      for (int bit = 0; bit < 8; ++bit) t[0][i] = t[0][i] & 1 ? t[0][i] >> 1 ^ 0xedb88320u : t[0][i] >> 1;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t i = 0; i < 256; ++i) t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 0xff];
    return t;
  }();
  std::uint32_t crc = ~0u;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, sizeof eight);
    eight ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][eight >> (8 * k) & 0xff];
  }
  for (; i < bytes.size(); ++i) crc = crc >> 8 ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xff];
  return ~crc;
}

}  // namespace likeness
