// Bytes as a JPEG or PNG: the size we read from the header and the pixels the libraries write must agree.
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "data/jpeg.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace likeness;  // NOLINT: the target is one function
  const auto encoded = std::as_bytes(std::span(data, size));
  try {
    const auto header = data::PictureDecoder::size(encoded, "fuzz");
    data::ends_properly(encoded);
    if (data::is_png(encoded)) return 0;  // what follows is libpng's, which prints whatever it meets
    if (header.width > 512 || header.height > 512) return 0;  // time, not a limit of the decoder
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(header.width) * header.height * 3);
    data::PictureDecoder().decode(encoded, header, pixels.data(), "fuzz");
  } catch (const Error&) {
  }
  return 0;
}
