#include "train/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/error.h"
#include "core/file.h"

namespace likeness::train {
namespace {

constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    std::uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    table[n] = c;
  }
  return table;
}();

template <typename T>
void put_fixed(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Protobuf wire types: 0 varint, 1 fixed 64, 2 length-delimited, 5 fixed 32.
void put_key(std::string& out, int field, int wire) { put_varint(out, static_cast<std::uint64_t>(field) << 3 | wire); }

void put_bytes(std::string& out, int field, const std::string& bytes) {
  put_key(out, field, 2);
  put_varint(out, bytes.size());
  out += bytes;
}

// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; SessionLog session_log =
// 7; }
std::string event_head(double wall_time, std::int64_t step) {
  std::string e;
  put_key(e, 1, 1);
  put_fixed(e, wall_time);
  if (step != 0) {
    put_key(e, 2, 0);
    put_varint(e, static_cast<std::uint64_t>(step));
  }
  return e;
}

// Summary { repeated Value value = 1; }  Value { string tag = 1; float simple_value = 2; Image image = 4;
// HistogramProto histo = 5; }
std::string value_head(const std::string& tag) {
  std::string v;
  put_bytes(v, 1, tag);
  return v;
}

std::string summary_event(double wall_time, std::int64_t step, const std::string& value) {
  std::string summary;
  put_bytes(summary, 1, value);
  std::string e = event_head(wall_time, step);
  put_bytes(e, 5, summary);
  return e;
}

void put_doubles(std::string& out, int field, const std::vector<double>& values) {  // packed
  std::string packed;
  for (double value : values) put_fixed(packed, value);
  put_bytes(out, field, packed);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t c = 0xffffffffu;
  for (std::byte b : bytes) c = kTable[(c ^ static_cast<std::uint32_t>(b)) & 0xff] ^ (c >> 8);
  c = ~c;
  return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

std::string tfrecord(const std::string& payload) {
  std::string out;
  put_fixed(out, static_cast<std::uint64_t>(payload.size()));
  put_fixed(out, masked_crc32c(as_bytes(out)));
  out += payload;
  put_fixed(out, masked_crc32c(as_bytes(payload)));
  return out;
}

std::string file_version_event(double wall_time) {
  std::string e = event_head(wall_time, 0);
  put_bytes(e, 3, "brain.Event:2");
  return e;
}

std::string scalar_event(double wall_time, std::int64_t step, const std::string& tag, float value) {
  std::string v = value_head(tag);
  put_key(v, 2, 5);
  put_fixed(v, value);
  return summary_event(wall_time, step, v);
}

// HistogramProto { double min = 1, max = 2, num = 3, sum = 4, sum_squares = 5; repeated double bucket_limit = 6, bucket
// = 7; }
std::string histogram_event(double wall_time, std::int64_t step, const std::string& tag, const Histogram& h) {
  std::string proto;
  const double scalars[] = {h.low, h.high, h.count, h.sum, h.sum_of_squares};
  for (int field = 1; field <= 5; ++field) {
    const double value = scalars[field - 1];
    if (value == 0) continue;  // as every writer of this format does
    put_key(proto, field, 1);
    put_fixed(proto, value);
  }
  put_doubles(proto, 6, h.edges);
  put_doubles(proto, 7, h.counts);
  std::string v = value_head(tag);
  put_bytes(v, 5, proto);
  return summary_event(wall_time, step, v);
}

// Image { int32 height = 1, width = 2, colorspace = 3; bytes encoded_image_string = 4; }
std::string image_event(double wall_time, std::int64_t step, const std::string& tag, int width, int height,
                        const std::string& png) {
  constexpr int kRgb = 3;
  std::string proto;
  for (const auto& [field, value] : {std::pair(1, height), std::pair(2, width), std::pair(3, kRgb)}) {
    put_key(proto, field, 0);
    put_varint(proto, static_cast<std::uint64_t>(value));
  }
  put_bytes(proto, 4, png);
  std::string v = value_head(tag);
  put_bytes(v, 4, proto);
  return summary_event(wall_time, step, v);
}

// SessionLog { SessionStatus status = 1; }  START = 1
std::string session_start_event(double wall_time, std::int64_t step) {
  std::string e = event_head(wall_time, step);
  put_bytes(e, 7, std::string("\x08\x01", 2));
  return e;
}

EventWriter::EventWriter(const std::filesystem::path& folder, std::int64_t first_step) {
  const double start = now();
  // Two starts within a second get different names.
  for (int n = 0; file_ < 0; ++n) {
    path_ = folder / fmt::format("events.out.tfevents.{}.likeness{}", static_cast<std::int64_t>(start),
                                 n ? fmt::format(".{}", n) : "");
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (file_ < 0 && errno != EEXIST)
      fail_environment({.what = "event file cannot be made", .where = path_.string(), .got = std::strerror(errno)});
  }
  append(file_version_event(start));
  if (first_step > 0) append(session_start_event(start, first_step + 1));
}

EventWriter::~EventWriter() { ::close(file_); }

void EventWriter::scalar(std::int64_t step, const std::string& tag, double value) {
  append(scalar_event(now(), step, tag, static_cast<float>(value)));
}

void EventWriter::histogram(std::int64_t step, const std::string& tag, const Histogram& h) {
  append(histogram_event(now(), step, tag, h));
}

void EventWriter::image(std::int64_t step, const std::string& tag, int width, int height, const std::string& png) {
  append(image_event(now(), step, tag, width, height, png));
}

void EventWriter::append(const std::string& event) { write_all(file_, as_bytes(tfrecord(event)), path_); }

}  // namespace likeness::train
