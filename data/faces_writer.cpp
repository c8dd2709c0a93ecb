#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/hdf5.h"
#include "data/faces_file.h"
#include "data/source_common.h"

namespace likeness::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBuffer = 4 << 20;  // few system calls, and small beside everything else

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail_environment({"file cannot be opened for writing", path.string(), "", std::strerror(errno), ""});
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void seek(std::uint64_t at) const {
    if (::lseek(fd_, static_cast<off_t>(at), SEEK_SET) < 0)
      fail_environment({"file cannot be written at its place", path_.string(), "", std::strerror(errno), ""});
  }
  int get() const { return fd_; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  int fd_;
};

void copy(const Descriptor& from, const Descriptor& to, std::uint64_t bytes) {
  std::vector<std::byte> buffer(kBuffer);
  while (bytes > 0) {
    const ssize_t n = ::read(from.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), bytes));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      fail_environment({"spooled pictures cannot be read back", from.path().string(), "", std::strerror(errno), ""});
    write_all(to.get(), std::span(buffer).first(static_cast<std::size_t>(n)), to.path());
    bytes -= static_cast<std::uint64_t>(n);
  }
}

}  // namespace

struct FacesWriter::State {
  h5::File file;
  std::unique_ptr<Descriptor> sink;  // the blob's place in the file, or the spool
  bool spooled = false;
  std::uint64_t promised = 0;
  std::vector<std::byte> buffer;

  std::vector<std::uint64_t> offset{0}, xxh3, key_offset{0};
  std::vector<std::int64_t> label;
  std::vector<std::uint16_t> size;  // height, width
  std::vector<float> landmarks;     // [N,5,2]
  std::vector<std::uint8_t> key_text;
  SetDigest digest;

  void flush() {
    write_all(sink->get(), buffer, sink->path());
    buffer.clear();
  }
};

struct FacesWriterAccess {
  using State = FacesWriter::State;

  static void open(State& s, const fs::path& temporary, std::optional<std::uint64_t> bytes) {
    s.file = h5::File::create(temporary);
    s.spooled = !bytes;
    s.buffer.reserve(kBuffer);
    if (bytes) {
      open_blob(s, temporary, *bytes);
    } else {
      const fs::path spool = temporary.string() + ".spool";
      s.sink = std::make_unique<Descriptor>(spool, O_RDWR | O_CREAT | O_TRUNC);
      fs::remove(spool);  // it lives as long as it is open, and no crash leaves it behind
    }
  }

  static void open_blob(State& s, const fs::path& temporary, std::uint64_t bytes) {
    s.promised = bytes;
    const std::uint64_t at = s.file.create_blob("data", bytes);
    s.sink = std::make_unique<Descriptor>(temporary, O_WRONLY);
    s.sink->seek(at);
  }

  static FacesWriter writer(State& s) { return FacesWriter(s); }

  static void finish_pictures(State& s, const fs::path& temporary) {
    s.flush();
    if (!s.spooled) return;
    const auto spool = std::move(s.sink);
    open_blob(s, temporary, s.offset.back());
    spool->seek(0);
    copy(*spool, *s.sink, s.offset.back());
  }

  static void write_columns(State& s) {
    const hsize_t n = s.label.size();
    s.file.write("offset", s.offset);
    s.file.write("label", s.label);
    s.file.write("size", s.size.data(), {n, 2});
    s.file.write("xxh3", s.xxh3);
    if (!s.landmarks.empty()) s.file.write("landmarks", s.landmarks.data(), {n, 5, 2});
    s.file.write("key/offset", s.key_offset);
    s.file.write("key/text", s.key_text);
  }

  template <class T>
  static void write_codes(State& s, const std::string& name, const std::vector<std::uint64_t>& codes) {
    s.file.write(name, std::vector<T>(codes.begin(), codes.end()));
  }

  static void write_attributes(State& s, const AttributeTable& table) {
    std::vector<std::string> names;
    for (const AttributeColumn& column : table.columns) {
      LIKENESS_ASSERT(column.codes.size() == s.label.size());
      names.push_back(column.name);
      const std::string group = "attributes/" + column.name;
      // The narrowest type that holds the bits: one byte for the usual handful of categories.
      const std::size_t bits = column.categories.size();
      if (bits <= 8)
        write_codes<std::uint8_t>(s, group + "/code", column.codes);
      else if (bits <= 16)
        write_codes<std::uint16_t>(s, group + "/code", column.codes);
      else if (bits <= 32)
        write_codes<std::uint32_t>(s, group + "/code", column.codes);
      else
        write_codes<std::uint64_t>(s, group + "/code", column.codes);
      s.file.write_strings(group + "/category", column.categories);
    }
    if (!names.empty()) s.file.write_strings("attribute_names", names);
  }

  static void write_meta(State& s, const FacesMeta& meta, const WrittenFaces& done) {
    if (!meta.identity_names.empty()) s.file.write_strings("identity_names", meta.identity_names);
    write_attributes(s, meta.attributes);
    if (!meta.pairs.empty()) {
      std::vector<std::int64_t> pairs;
      std::vector<std::uint8_t> same;
      for (const auto& p : meta.pairs) {
        pairs.insert(pairs.end(), {p.a, p.b});
        same.push_back(p.same);
      }
      s.file.write("pairs/picture", pairs.data(), {same.size(), 2});
      s.file.write("pairs/same", same);
    }
    s.file.set_attribute("format", std::string("likeness.faces"));
    s.file.set_attribute("format_version", kFacesFormatVersion);
    s.file.set_attribute("pictures", done.pictures);
    s.file.set_attribute("identities", done.identities);
    s.file.set_attribute("geometry", meta.geometry.to_json());
    s.file.set_attribute("digest", done.digest);
    s.file.set_attribute("provenance", meta.provenance);
  }

  static WrittenFaces write(const fs::path& temporary, std::optional<std::uint64_t> bytes,
                            const std::function<FacesMeta(FacesWriter&)>& fill, const fs::path& path) {
    State s;
    open(s, temporary, bytes);
    FacesWriter w = writer(s);
    const FacesMeta meta = fill(w);
    if (s.label.empty())
      fail_data({"set of faces is empty", path.string(), "at least one picture", "none", "nothing was written"});
    LIKENESS_ASSERT(s.spooled || s.offset.back() == s.promised);
    const auto last = *std::max_element(s.label.begin(), s.label.end());
    LIKENESS_ASSERT(last < static_cast<std::int64_t>(meta.identity_names.size()));
    finish_pictures(s, temporary);
    const WrittenFaces done{static_cast<std::int64_t>(s.label.size()),
                            static_cast<std::int64_t>(meta.identity_names.size()), s.offset.back(), s.digest.hex()};
    write_columns(s);
    write_meta(s, meta, done);
    s.file.close();
    return done;
  }
};

void FacesWriter::add(std::span<const std::byte> encoded, FaceEntry entry) {
  State& s = state_;
  auto bad = [&](const char* what, const char* expected, const std::string& got) {
    fail_data({what, entry.key, expected, got, ""});
  };
  if (entry.size.width < 1 || entry.size.height < 1 || entry.size.width > 65535 || entry.size.height > 65535)
    bad("picture has a size that cannot be stored", "1 to 65535 pixels each way",
        std::to_string(entry.size.width) + "x" + std::to_string(entry.size.height));
  if (entry.landmarks.has_value() != !s.landmarks.empty() && !s.label.empty())
    bad("landmarks are known for some pictures only", "for all or for none", "");
  if (s.buffer.size() + encoded.size() > kBuffer) s.flush();
  s.buffer.insert(s.buffer.end(), encoded.begin(), encoded.end());
  s.offset.push_back(s.offset.back() + encoded.size());
  s.xxh3.push_back(xxh3_64(encoded));
  s.label.push_back(entry.label);
  s.size.insert(s.size.end(),
                {static_cast<std::uint16_t>(entry.size.height), static_cast<std::uint16_t>(entry.size.width)});
  if (entry.landmarks)
    for (const Point& p : *entry.landmarks) s.landmarks.insert(s.landmarks.end(), {float(p.x), float(p.y)});
  s.key_text.insert(s.key_text.end(), entry.key.begin(), entry.key.end());
  s.key_offset.push_back(s.key_text.size());
  s.digest.add(entry.label, encoded.size(), s.xxh3.back());
}

WrittenFaces write_faces(const fs::path& path, IfExists if_exists, std::optional<std::uint64_t> bytes,
                         const std::function<FacesMeta(FacesWriter&)>& fill) {
  WrittenFaces done;
  write_atomically(path, if_exists,
                   [&](const fs::path& temporary) { done = FacesWriterAccess::write(temporary, bytes, fill, path); });
  return done;
}

}  // namespace likeness::data
