// Bytes as a .rec: every record that walking finds is read to its end, and a header is looked for in each picture.
#include <cstdint>

#include "core/error.h"
#include "data/jpeg.h"
#include "data/recordio.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace likeness;  // NOLINT: the target is one function
  const auto file = std::as_bytes(std::span(data, size));
  std::vector<std::byte> scratch;
  try {
    for (std::uint64_t at = 0; at < size;) {
      const data::Record record = data::read_record(file, at, 0, "fuzz.rec", scratch);
      LIKENESS_ASSERT(record.next > at);  // else walking would never end
      for (std::size_t k = 0; k < record.flag; ++k) (void)record.label(k);
      data::picture_size(record.body);
      at = record.next;
    }
  } catch (const Error&) {
  }
  return 0;
}
