// The two containers of torch.save: a pickle that says what there is, and the storages' raw numbers. Used by
// torch_file.cpp only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "core/pickle.h"

namespace likeness::model {

// What is wrong with a file, as kData.
[[noreturn]] void refuse_torch_file(const std::string& where, const std::string& expected, const std::string& got,
                                    const std::string& hint = "");

// Not thread-safe. `bytes` outlives it.
class TorchArchive {
 public:
  virtual ~TorchArchive() = default;
  virtual const PickleValue& root() const = 0;
  virtual std::string where() const = 0;  // of the pickle, for messages
  // The raw numbers that a persistent id ('storage', TYPE, KEY, device, elements, …) means. kData naming the key.
  virtual std::span<const std::byte> storage(const std::string& key) = 0;
};

// By content: the zip archive of PyTorch 1.6 and later (ROOT/data.pkl, ROOT/data/KEY), or the format before it (five
// pickles, then every storage as an i64 count and its numbers). kData: neither, truncated, big-endian, or storages
// that are views of one another, as PyTorch before 0.4 wrote them.
std::unique_ptr<TorchArchive> open_torch_archive(std::span<const std::byte> bytes, const std::string& where);

}  // namespace likeness::model
