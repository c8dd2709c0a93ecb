// Graph <-> ONNX. Written files: opset 13, IR 7, one file, ops {Conv, BatchNormalization, PRelu[C,1,1], Add, Flatten,
// Gemm}, for a ViT also chains of plain operators (docs/formats/weights.md), input "data" [batch,3,H,W], output "fc1"
// [batch,D] raw (not normalised), metadata_props with the contract. Deterministic bytes.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/preprocess.h"
#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

struct OnnxModel {
  Graph graph;
  Weights weights;
  std::map<std::string, std::string> metadata;  // metadata_props; ours start with "likeness."
};

// Serialises; passes onnx's checker and strict shape inference before it returns. Evaluation only: dropout, stochastic
// depth, token masks vanish. Nodes are named after their parameters and initializers are the state dict's names. metadata_props: likeness.contract
// (its weights_hash and dimension are filled in here), likeness.backbone, likeness.weights_hash, likeness.revision,
// likeness.version, ONNX's own Image.BitmapPixelFormat, Image.ColorSpaceGamma, Image.NominalPixelRange, and
// `extra_metadata`. docs/formats/weights.md. kData when the weights do not fit.
std::string to_onnx(const Graph& graph, const Weights& weights, const ModelContract& contract,
                    const std::map<std::string, std::string>& extra_metadata);
// Reads the files that to_onnx writes (graph, parameter names and all), and any file in the same op set: then the
// architecture is "onnx", and parameters are named after initializers "X.weight" where there are such, else after
// nodes. What only training reads is 0 then. kData naming node and op that are not supported. Writing what was read gives a file with equal outputs.
OnnxModel read_onnx(const std::filesystem::path& path);
OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& where);
// Only the metadata and input/output shapes, without building a graph: works on any ONNX file.
struct OnnxInfo {
  std::map<std::string, std::string> metadata;
  std::string input, output;
  std::vector<std::int64_t> input_shape, output_shape;  // -1: dynamic
  std::int64_t opset = 0, ir = 0;
};
// kData when it is not ONNX or does not have exactly one input and one output that are tensors.
OnnxInfo onnx_info(const std::filesystem::path& path);
OnnxInfo onnx_info(std::span<const std::byte> bytes, const std::string& where);
// The contract stored by to_onnx, if the file has one; kData when it is there but malformed.
bool onnx_contract(const std::map<std::string, std::string>& metadata, ModelContract* contract);

}  // namespace likeness::model
