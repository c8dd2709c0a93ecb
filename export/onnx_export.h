// `likeness export onnx` and `likeness export check` as functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/preprocess.h"
#include "export/parity.h"

namespace likeness::exporting {

struct OnnxExport {
  std::filesystem::path model, file;
  std::uint64_t bytes = 0;
  std::string digest;      // xxh3-128 of the file: equal for every export of the same weights by the same build
  ModelContract contract;  // with the weights' hash, which stays when only metadata change
  ParityReport parity;
  nlohmann::json to_json() const;
  std::string to_text() const;
};

// Writes `model` (a run folder, checkpoint, .safetensors, or an .onnx of ours) as one ONNX file: opset 13, IR 7,
// "data" [batch,3,H,W] -> "fc1" [batch,D] raw. The file appears only after parity has passed; otherwise kCheckFailed
// with the table, and whatever stood at `out` is untouched.
OnnxExport export_onnx(const std::filesystem::path& model, const std::filesystem::path& out, IfExists if_exists,
                       const ParityOptions& options);

struct OnnxCheck {
  std::filesystem::path file, against;
  // In words: what the file says or holds that the model does not. Not empty: it is another network, and parity is not
  // run.
  std::vector<std::string> differences;
  ParityReport parity;
  bool passed() const { return differences.empty() && parity.passed(); }
  nlohmann::json to_json() const;
  std::string to_text() const;
};

// Compares contract and weights (hashed anew from the file's tensors, not taken from its metadata), then parity.
// kData when either cannot be read.
OnnxCheck check_onnx(const std::filesystem::path& file, const std::filesystem::path& against,
                     const ParityOptions& options);

}  // namespace likeness::exporting
