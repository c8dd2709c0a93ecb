// Bytes as a pickle and as a verification pack. Every picture and array that comes out is read through.
#include <cstdint>
#include <numeric>

#include "core/error.h"
#include "data/jpeg.h"
#include "data/verification_bin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace likeness;  // NOLINT: the target is one function
  try {
    const auto pack = data::parse_verification_pack(std::as_bytes(std::span(data, size)), "fuzz.bin");
    LIKENESS_ASSERT(pack.pictures.size() == 2 * pack.same.size());
    volatile unsigned sum = 0;
    for (const auto picture : pack.pictures) {
      for (const std::byte b : picture) sum = sum + std::to_integer<unsigned>(b);
      data::picture_size(picture);
    }
  } catch (const Error&) {
  }
  return 0;
}
