// PyTorch's `.pt` and `.pth` files: state dicts in and out, without PyTorch and without running anything in them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/graph/weights.h"

namespace likeness::model {

// The state dict of a file that torch.save wrote, in the zip format or in that before PyTorch 1.6: the file's own dict
// if it holds tensors, else the one under "state_dict_backbone" (arcface_torch's checkpoints), "state_dict",
// "model_state_dict", "model", "backbone" or "net". "module." in front of every name (DataParallel's) is taken off.
// Tensors may be views with any strides; they come out row-major. Memory stays within a small multiple of the file's
// size. Errors: kData naming the file and what is wrong: a pickled module or other class, compressed members,
// big-endian numbers, tensors that do not lie in their storage.
Weights read_torch_file(const std::filesystem::path& path);
Weights parse_torch_file(std::span<const std::byte> bytes, const std::string& where);

// An ordered state dict that torch.load(weights_only=True) opens, each tensor in a storage of its own. `order` names
// the tensors that come first (a network's state dict order); the rest follow by name. Metadata has no place in the
// format. kUsage when the file exists and may not be replaced, or a dtype has no PyTorch storage (F8, unsigned beyond
// U8).
void write_torch_file(const std::filesystem::path& path, const Weights& weights, const std::vector<std::string>& order,
                      IfExists if_exists);

}  // namespace likeness::model
