// One operator of a network: what it computes and what it carries. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace likeness::model {

enum class Op {
  // of feature maps and vectors
  kInput,
  kConv,
  kBatchNorm,
  kPRelu,
  kAdd,
  kFlatten,
  kLinear,
  kDropout,
  // of tokens
  kTokens,
  kPositions,
  kMaskTokens,
  kRestoreTokens,
  kLayerNorm,
  kAttention,
  kRelu6,
  kRelu,
};
const char* op_name(Op op);  // "Conv", "BatchNorm", …

// A node's output is the edge of the same name. Feature maps are [B,C,H,W], vectors [B,D], tokens [B,T,D].
//   Conv       y = conv2d(x, weight [O,I/groups,kh,kw]) (+ bias [O])
//   BatchNorm  y = weight (x - running_mean) / sqrt(running_var + epsilon) + bias, per channel or vector element
//   PRelu      y = x >= 0 ? x : weight[c] x
//   Linear     y = x weight^T (+ bias) over the last axis, weight [O,I]
//   Tokens     [B,C,H,W] -> [B,HW,C]: every place of a map is a token
//   Positions  y = x + parameter [1,T,D]
//   LayerNorm  like BatchNorm, with the mean and the variance (divided by D) of each token's D values
//   Attention  [B,T,3D] -> [B,T,D]: per head softmax(q k^T / sqrt(D/heads)) v; a token is q, k, v, each head by head
//   Relu6      y = min(max(x, 0), 6)
//   Relu       y = max(x, 0)
// Identities in evaluation mode:
//   Dropout        sets a value to 0 with probability `dropout`, else divides it by 1 - dropout; `whole`: all values of
//                  a picture together (stochastic depth)
//   MaskTokens     keeps floor(T (1 - dropout)) tokens of each picture, drawn at random
//   RestoreTokens  second input: the MaskTokens node; kept tokens return to their places, parameter [1,1,D] elsewhere
struct Node {
  Op op = Op::kInput;
  std::string name{};         // unique in the graph; equals `prefix` for nodes with weights
  std::string prefix{};       // of its parameters: arcface_torch's names ("layer1.0.conv1"); empty without parameters
  std::vector<int> inputs{};  // indices of earlier nodes
  // Conv: kernel, stride, padding, groups; Linear and Conv: bias
  int kernel_h = 0, kernel_w = 0, stride = 1, padding = 0, groups = 1;
  bool bias = false;
  // BatchNorm, in PyTorch's convention: running = (1 - momentum) running + momentum batch; LayerNorm: epsilon
  double epsilon = 1e-5, momentum = 0.1;
  double dropout = 0;
  bool whole = false;
  int heads = 0;  // Attention
  // shape of the output without the batch, in evaluation: {C,H,W}, {D} or {T,D}
  std::vector<std::int64_t> shape{};

  // parameter("weight") = "layer1.0.conv1.weight"; parameter("") = "pos_embed", of Positions and RestoreTokens
  std::string parameter(const char* what) const { return *what ? prefix + "." + what : prefix; }
  // Whether the tensor of that name is one of its own.
  bool owns(const std::string& tensor) const {
    return !prefix.empty() && tensor.starts_with(prefix) &&
           (tensor.size() == prefix.size() || tensor[prefix.size()] == '.');
  }
  bool operator==(const Node&) const = default;
};

// What follows a node's prefix in the names of the tensors that evaluation reads: "weight", "bias", "running_mean", …;
// "" for a parameter that has the prefix itself as its name. In the order in which the operator takes them.
std::vector<const char*> parameter_names(const Node& node);

std::int64_t element_count(const std::vector<std::int64_t>& shape);  // 1 for a scalar
std::string shape_text(const std::vector<std::int64_t>& shape);      // "[64,3,3,3]"; negative: "any"

}  // namespace likeness::model
