// A pickle machine that builds plain values and never runs code: it knows the opcodes of protocols 0 to 5 and a short list of
// globals (numpy arrays and scalars, byte strings through _codecs.encode); every other global is refused by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace likeness {

// A value as pickled. Arrays of numpy become NdArray; lists and tuples are both `items`.
struct PickleValue {
  enum class Kind { kNone, kBool, kInt, kFloat, kText, kBytes, kList, kTuple, kDict, kArray, kObject };
  struct NdArray {
    std::vector<std::int64_t> shape;
    std::string dtype;              // numpy's: "u1", "b1", "i8", "f4", …
    bool fortran_order = false;
    std::span<const std::byte> data;
  };
  Kind kind = Kind::kNone;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;                         // kText; the global's name for kObject
  std::span<const std::byte> bytes;         // kBytes: points into the file or into `storage`
  std::vector<std::shared_ptr<PickleValue>> items;  // list, tuple; key, value, key, value… for a dict
  NdArray array;
  std::shared_ptr<std::vector<std::byte>> storage;  // owns bytes that are not in the file as they are
};

// Errors: kData naming `where` and the byte at fault: truncated, unknown opcode, foreign global, stack misuse, too deep.
// `pickle` must outlive the value. Memory is bounded by a small multiple of the input's size.
std::shared_ptr<PickleValue> read_pickle(std::span<const std::byte> pickle, const std::string& where);

}  // namespace likeness
