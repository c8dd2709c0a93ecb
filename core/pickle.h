// A pickle machine that builds plain values and never runs code: it knows the opcodes of protocols 0 to 5 and a short list of
// globals (numpy arrays and scalars, byte strings through _codecs.encode; on request those of a PyTorch state dict); every
// other global is refused by name.
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

// The globals that a pickle may name.
enum class PickleGlobals {
  kNumpy,  // arrays, scalars, byte strings
  kTorch,  // also what torch.save writes for a state dict: ordered dicts; tensors stay calls that the caller interprets
};

// A value as pickled. Arrays of numpy become NdArray; lists and tuples are both `items`. kCall: a call that was not made,
// `text` is the global's name and `items` its arguments. kReference: something outside the pickle, items[0] is its id.
struct PickleValue {
  enum class Kind { kNone, kBool, kInt, kFloat, kText, kBytes, kList, kTuple, kDict, kArray, kObject, kCall, kReference };
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
  std::string text;                         // kText; the global's name for kObject and kCall
  std::span<const std::byte> bytes;         // kBytes: points into the file or into `storage`
  std::vector<std::shared_ptr<PickleValue>> items;  // list, tuple; key, value, key, value… for a dict
  NdArray array;
  std::shared_ptr<std::vector<std::byte>> storage;  // owns bytes that are not in the file as they are
};

// Errors: kData naming `where` and the byte at fault: truncated, unknown opcode, foreign global, stack misuse, too deep.
// `pickle` must outlive the value. Memory is bounded by a small multiple of the input's size. What stands behind the end of
// the pickle is not looked at; `used`, where it is not null: bytes before it.
std::shared_ptr<PickleValue> read_pickle(std::span<const std::byte> pickle, const std::string& where,
                                         PickleGlobals globals = PickleGlobals::kNumpy, std::size_t* used = nullptr);

}  // namespace likeness
