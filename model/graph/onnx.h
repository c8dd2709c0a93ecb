// Graph <-> ONNX. Written files: opset 13, IR 7, one file, ops {Conv, BatchNormalization, PRelu[C,1,1], Add, Flatten, Gemm},
// input "data" [batch,3,H,W], output "fc1" [batch,D] raw (not normalised), metadata_props with the contract. Deterministic bytes.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/preprocess.h"
#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

struct OnnxModel {
  Graph graph;
  Weights weights;
  std::map<std::string, std::string> metadata;  // metadata_props; ours start with "likeness."
};

// Serialises; passes onnx's checker and strict shape inference before it returns.
std::string to_onnx(const Graph& graph, const Weights& weights, const ModelContract& contract,
                    const std::map<std::string, std::string>& extra_metadata);
// Reads the files that to_onnx writes (and any file in the same op set). kData naming node and op that are not supported.
OnnxModel read_onnx(const std::filesystem::path& path);
// Only the metadata and input/output shapes, without building a graph: works on any ONNX file.
struct OnnxInfo {
  std::map<std::string, std::string> metadata;
  std::string input, output;
  std::vector<std::int64_t> input_shape, output_shape;  // -1: dynamic
  std::int64_t opset = 0, ir = 0;
};
OnnxInfo onnx_info(const std::filesystem::path& path);
// The contract stored by to_onnx, if the file has one.
bool onnx_contract(const std::map<std::string, std::string>& metadata, ModelContract* contract);

}  // namespace likeness::model
