// One network's nodes and initializers as ONNX. Used by onnx_write*.cpp only.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

void set_int(onnx::NodeProto* node, const char* name, std::int64_t value);
void set_ints(onnx::NodeProto* node, const char* name, const std::vector<std::int64_t>& values);
void set_float(onnx::NodeProto* node, const char* name, double value);

class OnnxWriter {
 public:
  // `weights` must fit `graph`. Both, and `out`, must outlive the writer.
  OnnxWriter(const Graph& graph, const Weights& weights, onnx::GraphProto* out);
  void write();

 private:
  void write_node(const Node& node, const std::string& edge);
  void write_conv(const Node& node, onnx::NodeProto* proto);
  onnx::NodeProto* add(const char* op, const std::string& name, const std::string& edge,
                       const std::vector<std::string>& inputs);
  // A parameter as an initializer of the state dict's name, which is returned. `shape`: instead of its own.
  std::string parameter(const Node& of, const char* what, const std::vector<std::int64_t>& shape = {});
  std::string transposed_weight(const Node& of);
  onnx::TensorProto* initializer(const std::string& name, const std::vector<std::int64_t>& shape, int type);
  const std::string& in(const Node& node) const { return edges_[node.inputs[0]]; }

  // onnx_write_tokens.cpp: what opset 13 has no operator for. The last of the ONNX nodes that make one of ours has its
  // name, the others that name and what they compute: "blocks.0.norm1/variance".
  void write_tokens(const Node& node, const std::string& edge);
  void write_token_linear(const Node& node, const std::string& edge);
  void write_layer_norm(const Node& node, const std::string& edge);
  void write_attention(const Node& node, const std::string& edge);
  void write_relu6(const Node& node, const std::string& edge);
  std::string part(const Node& of, const char* op, const std::string& what, const std::vector<std::string>& inputs);
  // Constants are named after their values and shared.
  std::string constant(const std::vector<std::int64_t>& values);
  std::string constant(double value);

  const Weights& weights_;
  onnx::GraphProto* out_;
  std::vector<Node> nodes_;
  std::vector<std::string> edges_;
  std::set<std::string> constants_;
};

}  // namespace likeness::model
