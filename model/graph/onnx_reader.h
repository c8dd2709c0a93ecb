// The nodes of an ONNX graph being read as a network. Used by onnx_read*.cpp only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/graph/onnx.h"
#include "model/graph/onnx_node.h"

namespace likeness::model {

class OnnxReader {
 public:
  // The arguments must outlive the reader. kData when opset or input shape are none of ours.
  OnnxReader(const onnx::GraphProto& in, const OnnxInfo& info, const std::string& where);
  // kData naming file, node and operator that are not supported.
  OnnxModel read();

 private:
  [[noreturn]] void refuse_file(const std::string& expected, const std::string& got) const;
  int read_node(const OnnxNode& node, std::string* last);
  int read_conv(const OnnxNode& node);
  int read_batch_norm(const OnnxNode& node);
  int read_prelu(const OnnxNode& node);
  int read_gemm(const OnnxNode& node);
  int read_add(const OnnxNode& node);

  // onnx_read_foreign.cpp: what other exporters write. Shapes computed by nodes are lists in which kBatch stands for
  // the batch, as it does in a Reshape.
  static constexpr std::int64_t kBatch = 0;
  void take_constants();
  bool read_plumbing(const OnnxNode& node);  // false: another kind of node
  std::vector<std::int64_t> sizes(const OnnxNode& node, int i) const;
  int read_reshape(const OnnxNode& reshape, std::string* last);
  int read_clip(const OnnxNode& clip);
  int read_relu(const OnnxNode& relu);

  // onnx_read_tokens.cpp: chains of nodes that make one of ours, as onnx_write_tokens.cpp writes them. Each returns the
  // chain's operator and tells by `last` where the chain ends.
  int read_tokens(const OnnxNode& reshape, std::string* last);
  int read_token_linear(const OnnxNode& matmul, std::string* last);
  int read_layer_norm(const OnnxNode& mean, std::string* last);
  int read_attention(const OnnxNode& split, std::string* last);
  // The one node of this operator that reads `edge`, which then belongs to the chain that `from` began.
  OnnxNode follow(const OnnxNode& from, const std::string& edge, const char* op);
  void expect_input(const OnnxNode& node, int i, const std::string& edge) const;
  std::vector<std::int64_t> ints(const OnnxNode& node, int i) const;
  void expect_ints(const OnnxNode& node, int i, const std::vector<std::int64_t>& values) const;
  void expect_transpose(const OnnxNode& node, const std::vector<std::int64_t>& perm) const;
  double scalar(const OnnxNode& node, int i) const;

  // The node's i-th input as an edge that an earlier node, or the picture, gives.
  int edge(const OnnxNode& node, int i) const;
  bool is_parameter(const OnnxNode& node, int i) const;
  const onnx::TensorProto& stored(const OnnxNode& node, int i) const;
  // An initializer of f32.
  WeightTensor parameter(const OnnxNode& node, int i) const;
  void keep(const OnnxNode& node, const std::string& name, WeightTensor tensor, const std::vector<std::int64_t>& shape);
  // A parameter prefix: what stands before ".weight" in the initializer's name, else the node's name.
  std::string prefix_of(const OnnxNode& node);
  std::string unique(const std::string& wanted);

  const onnx::GraphProto& in_;
  const OnnxInfo& info_;
  const std::string& where_;
  GraphBuilder builder_;
  Weights weights_;
  std::map<std::string, const onnx::TensorProto*> initializers_;
  std::map<std::string, int> edges_;                         // -> our nodes
  std::map<std::string, std::vector<int>> readers_;          // -> ONNX nodes
  std::map<std::string, std::vector<std::int64_t>> shapes_;  // edges that carry sizes
  std::set<int> chained_;                                    // ONNX nodes that an earlier one's chain has taken
  std::set<std::string> names_;
};

WeightTensor transposed(const WeightTensor& matrix);

}  // namespace likeness::model
