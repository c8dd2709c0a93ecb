// JPEG and PNG: the size from the header alone, and decoding straight into the caller's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace likeness::data {

struct PictureSize {
  int width = 0, height = 0;  // pixels
  bool operator==(const PictureSize&) const = default;
};

// What the header of a JPEG (first frame header) or PNG (IHDR) says, without decoding; nullopt for anything else. Cheap
// (under a microsecond), so an import can look at every picture.
std::optional<PictureSize> picture_size(std::span<const std::byte> encoded);

bool is_jpeg(std::span<const std::byte> bytes);
bool is_png(std::span<const std::byte> bytes);

// Whether a JPEG or PNG ends with its own end marker. If not it is cut off, or has something appended: decoding tells.
bool ends_properly(std::span<const std::byte> encoded);

// Decodes JPEG by libjpeg-turbo, PNG by OpenCV, always to RGB u8 (grey is spread over three channels, alpha dropped, no
// EXIF rotation). Holds a decompressor: one per thread. Errors: kData naming `where`, also for a picture that libjpeg
// could only repair (truncated, damaged Huffman data).
class PictureDecoder {
 public:
  PictureDecoder();
  ~PictureDecoder();
  PictureDecoder(const PictureDecoder&) = delete;
  PictureDecoder& operator=(const PictureDecoder&) = delete;

  // The size that decode() will fill.
  static PictureSize size(std::span<const std::byte> encoded, const std::string& where);
  // out: [height, width, 3] u8 of size(). `size` is checked against the picture.
  void decode(std::span<const std::byte> encoded, PictureSize size, std::uint8_t* out, const std::string& where);

 private:
  void decode_jpeg(std::span<const std::byte> encoded, PictureSize size, std::uint8_t* out, const std::string& where);
  void* handle_;  // tjhandle
};

}  // namespace likeness::data
