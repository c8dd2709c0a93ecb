// PyTorch's names for storages of numbers, and ours for the numbers. Used by torch_file*.cpp only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace likeness::model {

struct TorchStorage {
  const char* global;  // as a pickle names it, "MODULE NAME"
  const char* dtype;   // WeightTensor's
  std::int64_t size;   // bytes of a number
};
inline constexpr std::array kTorchStorages = {
    TorchStorage{"torch FloatStorage", "F32", 4}, TorchStorage{"torch DoubleStorage", "F64", 8},
    TorchStorage{"torch HalfStorage", "F16", 2},  TorchStorage{"torch BFloat16Storage", "BF16", 2},
    TorchStorage{"torch LongStorage", "I64", 8},  TorchStorage{"torch IntStorage", "I32", 4},
    TorchStorage{"torch ShortStorage", "I16", 2}, TorchStorage{"torch CharStorage", "I8", 1},
    TorchStorage{"torch ByteStorage", "U8", 1},   TorchStorage{"torch BoolStorage", "BOOL", 1},
};
// kTorchStorages.end() for a global that is none of them.
inline auto find_storage(const std::string& global) {
  return std::find_if(kTorchStorages.begin(), kTorchStorages.end(),
                      [&](const TorchStorage& s) { return global == s.global; });
}

}  // namespace likeness::model
