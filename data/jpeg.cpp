#include "data/jpeg.h"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "core/error.h"
#include "data/crop.h"

namespace likeness::data {
namespace {

// No face set holds larger pictures; a header that claims more is damage or an attempt to exhaust memory.
constexpr std::int64_t kMaxPixels = 1 << 28;

int byte_at(std::span<const std::byte> b, std::size_t i) { return std::to_integer<int>(b[i]); }

const unsigned char* raw(std::span<const std::byte> b) { return reinterpret_cast<const unsigned char*>(b.data()); }

// The segments of a JPEG up to its first frame header (ITU-T T.81, B.1.1 and B.2.2).
std::optional<PictureSize> jpeg_size(std::span<const std::byte> b) {
  std::size_t at = 2;
  while (at + 4 <= b.size()) {
    if (byte_at(b, at) != 0xff) return std::nullopt;
    const int marker = byte_at(b, at + 1);
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {  // markers without a segment
      at += 2;
      continue;
    }
    const std::size_t length = byte_at(b, at + 2) << 8 | byte_at(b, at + 3);
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) {
      if (length < 8 || at + 9 > b.size()) return std::nullopt;
      return PictureSize{byte_at(b, at + 7) << 8 | byte_at(b, at + 8), byte_at(b, at + 5) << 8 | byte_at(b, at + 6)};
    }
    if (length < 2 || marker == 0xda || marker == 0xd9) return std::nullopt;
    at += 2 + length;
  }
  return std::nullopt;
}

std::optional<PictureSize> png_size(std::span<const std::byte> b) {
  if (b.size() < 24 || std::memcmp(b.data() + 12, "IHDR", 4) != 0) return std::nullopt;
  auto u31 = [&](std::size_t i) {
    return static_cast<std::int64_t>(byte_at(b, i)) << 24 | byte_at(b, i + 1) << 16 | byte_at(b, i + 2) << 8 |
           byte_at(b, i + 3);
  };
  const std::int64_t w = u31(16), h = u31(20);
  if (w > kMaxPixels || h > kMaxPixels) return std::nullopt;
  return PictureSize{static_cast<int>(w), static_cast<int>(h)};
}

std::string starting(std::span<const std::byte> b) {
  std::string text = std::to_string(b.size()) + " bytes";
  if (!b.empty()) text += " starting";
  for (std::size_t i = 0; i < std::min<std::size_t>(4, b.size()); ++i) {
    char hex[8];
    std::snprintf(hex, sizeof hex, " %02x", byte_at(b, i));
    text += hex;
  }
  return text;
}

[[noreturn]] void fail_decode(const std::string& where, const std::string& got) {
  fail_data({"picture cannot be decoded", where, "an intact JPEG or PNG", got, ""});
}

void decode_png(std::span<const std::byte> encoded, PictureSize size, std::uint8_t* out, const std::string& where) {
  // libpng would complain on stderr; it needs the end chunk, wherever it is.
  static constexpr std::array kEnd = {std::byte{'I'}, std::byte{'E'}, std::byte{'N'}, std::byte{'D'}};
  if (std::find_end(encoded.begin(), encoded.end(), kEnd.begin(), kEnd.end()) == encoded.end())
    fail_decode(where, "a PNG without its end, " + starting(encoded));
  cv::Mat bgr;
  try {
    const cv::Mat in(1, static_cast<int>(encoded.size()), CV_8U, const_cast<std::byte*>(encoded.data()));
    bgr = cv::imdecode(in, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& e) {
    fail_decode(where, e.err);
  }
  if (bgr.empty() || bgr.cols != size.width || bgr.rows != size.height)
    fail_decode(where, "damaged PNG, " + starting(encoded));
  for (int y = 0; y < bgr.rows; ++y) {
    const std::uint8_t* from = bgr.ptr<std::uint8_t>(y);
    for (int x = 0; x < bgr.cols; ++x, from += 3, out += 3) {
      out[0] = from[2];
      out[1] = from[1];
      out[2] = from[0];
    }
  }
}

}  // namespace

bool is_jpeg(std::span<const std::byte> b) {
  return b.size() >= 4 && byte_at(b, 0) == 0xff && byte_at(b, 1) == 0xd8 && byte_at(b, 2) == 0xff;
}

bool is_png(std::span<const std::byte> b) {
  return b.size() >= 8 && std::memcmp(b.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
}

bool ends_properly(std::span<const std::byte> b) {
  const std::size_t n = b.size();
  if (is_jpeg(b)) return byte_at(b, n - 2) == 0xff && byte_at(b, n - 1) == 0xd9;
  return is_png(b) && n >= 12 && std::memcmp(b.data() + n - 8, "IEND", 4) == 0;
}

std::optional<PictureSize> picture_size(std::span<const std::byte> encoded) {
  std::optional<PictureSize> size;
  if (is_jpeg(encoded)) size = jpeg_size(encoded);
  if (is_png(encoded)) size = png_size(encoded);
  if (size && (size->width <= 0 || size->height <= 0)) return std::nullopt;
  return size;
}

PictureDecoder::PictureDecoder() : handle_(tjInitDecompress()) {
  if (!handle_) fail_environment({"libjpeg-turbo cannot start", "tjInitDecompress", "", tjGetErrorStr(), ""});
}

PictureDecoder::~PictureDecoder() { tjDestroy(handle_); }

PictureSize PictureDecoder::size(std::span<const std::byte> encoded, const std::string& where) {
  const auto size = picture_size(encoded);
  if (!size) fail_decode(where, starting(encoded));
  if (static_cast<std::int64_t>(size->width) * size->height > kMaxPixels)
    fail_decode(where, "a header that says " + std::to_string(size->width) + "x" + std::to_string(size->height));
  return *size;
}

void PictureDecoder::decode(std::span<const std::byte> encoded, PictureSize size, std::uint8_t* out,
                            const std::string& where) {
  if (is_png(encoded)) return decode_png(encoded, size, out, where);
  decode_jpeg(encoded, size, out, where);
}

void PictureDecoder::decode_jpeg(std::span<const std::byte> encoded, PictureSize size, std::uint8_t* out,
                                 const std::string& where) {
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(handle_, raw(encoded), encoded.size(), &width, &height, &subsampling, &colours) != 0)
    fail_decode(where, std::string(tjGetErrorStr2(handle_)) + ", " + starting(encoded));
  // libjpeg's reading of the header is the one that decides how much is written.
  if (width != size.width || height != size.height)
    fail_decode(where, "frame headers that disagree: " + std::to_string(width) + "x" + std::to_string(height) +
                           " and " + std::to_string(size.width) + "x" + std::to_string(size.height));
  // Default flags: the accurate inverse transform and smooth chroma, bit for bit what OpenCV and MXNet decode.
  if (tjDecompress2(handle_, raw(encoded), encoded.size(), out, width, 0, height, TJPF_RGB, 0) == 0) return;
  const std::string why = tjGetErrorStr2(handle_);
  // Stray bytes between segments change no pixel, and web-scraped sets are full of them.
  const bool harmless =
      tjGetErrorCode(handle_) == TJERR_WARNING && why.find("extraneous bytes before marker") != std::string::npos;
  if (!harmless) fail_decode(where, why);
}

Image decode(std::span<const std::byte> encoded, const std::string& where) {
  PictureDecoder decoder;
  const PictureSize size = decoder.size(encoded, where);
  Image image{size.width, size.height, {}};
  image.pixels.resize(static_cast<std::size_t>(size.width) * size.height * 3);
  decoder.decode(encoded, size, image.pixels.data(), where);
  return image;
}

std::vector<std::byte> encode_jpeg(const std::uint8_t* rgb, int width, int height, int quality) {
  tjhandle handle = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int subsampling = quality >= 90 ? TJSAMP_444 : TJSAMP_420;  // full colour where quality is asked for
  const bool ok =
      handle && tjCompress2(handle, rgb, width, 0, height, TJPF_RGB, &bytes, &size, subsampling, quality, 0) == 0;
  std::vector<std::byte> out;
  if (ok) out.assign(reinterpret_cast<std::byte*>(bytes), reinterpret_cast<std::byte*>(bytes) + size);
  const std::string why = ok ? "" : tjGetErrorStr2(handle);
  tjFree(bytes);
  if (handle) tjDestroy(handle);
  if (!ok) fail_environment({"picture cannot be encoded", "libjpeg-turbo", "", why, ""});
  return out;
}

std::vector<std::byte> encode_png(const Image& image) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  const std::uint8_t* from = image.pixels.data();
  std::uint8_t* to = bgr.ptr<std::uint8_t>();
  for (std::size_t p = 0; p < static_cast<std::size_t>(image.width) * image.height; ++p, from += 3, to += 3) {
    to[0] = from[2];
    to[1] = from[1];
    to[2] = from[0];
  }
  std::vector<std::uint8_t> png;
  if (!cv::imencode(".png", bgr, png)) fail_environment({"picture cannot be encoded", "OpenCV", "a PNG", "", ""});
  const auto* bytes = reinterpret_cast<const std::byte*>(png.data());
  return {bytes, bytes + png.size()};
}

}  // namespace likeness::data
