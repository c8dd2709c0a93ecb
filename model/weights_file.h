// Weights out of any file that holds some, and into the file of another program.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/run_model.h"

namespace likeness::model {

inline constexpr const char* kOnnxKind = "ONNX file";

struct WeightsFile {
  std::filesystem::path path;             // of the file itself: a run folder's checkpoint
  std::string kind;                       // "likeness model", "safetensors", "PyTorch file", "ONNX file"
  Weights weights;                        // with a safetensors file's metadata
  std::optional<Graph> graph;             // the network: as the file says, or recognised by names and shapes
  std::optional<ModelContract> contract;  // how it is fed, where the file says so

  std::vector<std::string> order() const;  // the tensors' names in state dict order; by name where it is not known
};

// A run folder, a checkpoint, .safetensors (models of ours, bare state dicts, heads and optimizers of a checkpoint),
// .pt, .pth, .onnx. kData naming the file when it is none of these or cannot be read.
WeightsFile read_weights_file(const std::filesystem::path& path);

// Makes an ONNX file of others trainable, with equal outputs: folded batch norms return (unfold.h), and a network that
// is one of the backbones gets its names (match.h). Returns the prefixes of the batch norms that were put back. Other
// files stay as they are.
std::vector<std::string> make_trainable(WeightsFile* file);

// How arcface_torch feeds its networks, whose state dicts do not say: RGB, (pixel - 127.5) / 127.5, the field's five
// points scaled to the input.
ModelContract arcface_torch_contract(const Graph& graph);

// By the extension of `path`: .safetensors (a model of ours where network and contract are known, else the bare state
// dict) or .pt, .pth (a bare state dict, as arcface_torch loads it). kUsage for other extensions; .onnx is what
// `likeness export onnx` writes, and tests.
void write_weights_file(const std::filesystem::path& path, const WeightsFile& file, IfExists if_exists);

}  // namespace likeness::model
