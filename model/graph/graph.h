// A network as a plain value: nodes and named parameters. Every consumer reads this: the trainer's module, the
// interpreter, ONNX in and out, counts, quantisation. Plain data: copy it, share it between threads for reading.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/graph/node.h"

namespace likeness::model {

// Declares one tensor of the state dict, in arcface_torch's order.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool parameter = true;  // false: a buffer (running statistics)
  bool trainable = true;  // false for buffers and for iresnet's frozen "features.weight"
  bool integer = false;   // "num_batches_tracked": i64 scalar
  // No embedding depends on it (num_batches_tracked, mask_token): not hashed, and not in ONNX files.
  bool training_only = false;
  bool operator==(const TensorSpec&) const = default;
};

struct Graph {
  std::string architecture;                    // "mbf", "r50", …; "onnx" for a graph read from a foreign file
  std::map<std::string, std::string> options;  // what build_backbone was given, as text, so that a file can rebuild it
  std::vector<Node> nodes;                     // topological; nodes[0] is the input, the last is the output
  std::vector<TensorSpec> tensors;             // state dict order
  std::int64_t input_height = 0, input_width = 0, dimension = 0;

  std::int64_t parameter_count() const;
  std::int64_t trainable_parameter_count() const;
  struct Macs {
    std::int64_t conv = 0, linear = 0, attention = 0;
    std::int64_t total() const { return conv + linear + attention; }
  };
  // Products of weights, and of tokens in attention, for one picture: no bias, norm or activation.
  Macs macs() const;
  std::vector<Node> evaluation_nodes() const;  // without the nodes that are identities then; inputs renumbered
};

// Reads like algebra: x = g.conv("conv1", x, {64, 3}); x = g.batch_norm("bn1", x); x = g.prelu("prelu", x);
// Every call infers the output's shape and declares the node's tensors, in PyTorch's order, so the order of calls is
// the order of the state dict. Impossible shapes, repeated names and unused nodes are kData naming the node: graphs
// come from files too.
class GraphBuilder {
 public:
  struct Conv {
    std::int64_t channels;
    int kernel;
    int stride = 1;
    int padding = 0;
    std::int64_t groups = 1;
    bool bias = false;
  };
  GraphBuilder(std::string architecture, std::int64_t height, std::int64_t width);
  int input() const { return 0; }
  int conv(const std::string& prefix, int x, Conv c);
  int conv(const std::string& prefix, int x, Conv c, int kernel_h, int kernel_w);
  int batch_norm(const std::string& prefix, int x, double epsilon = 1e-5, bool weight_trainable = true);
  int prelu(const std::string& prefix, int x);
  int add(const std::string& name, int a, int b);
  int flatten(const std::string& name, int x);
  int linear(const std::string& prefix, int x, std::int64_t features, bool bias);
  int dropout(const std::string& name, int x, double p, bool whole = false);
  int tokens(const std::string& name, int x);
  int positions(const std::string& name, const std::string& parameter, int x);
  int mask_tokens(const std::string& name, int x, double p);
  int restore_tokens(const std::string& name, const std::string& parameter, int x, int masked);
  int layer_norm(const std::string& prefix, int x, double epsilon = 1e-5);
  int attention(const std::string& name, int x, int heads);
  int relu6(const std::string& name, int x);
  int relu(const std::string& name, int x);
  // A node with the name, parameters and sizes of `node`, which may be another graph's, reading `inputs` of this one.
  // Of a convolution's shape only the channels are taken, of a Linear's only the features. Parameters are trainable.
  int repeat(const Node& node, const std::vector<int>& inputs);
  std::vector<std::int64_t> shape(int x) const;
  // The last node is the output [B,D].
  Graph finish(int output);

 private:
  [[noreturn]] void refuse(const std::string& node, std::string expected, std::string got) const;
  int add_node(Node node);
  std::vector<std::int64_t> token_shape(const std::string& name, int x) const;
  TensorSpec& declare(const Node& node, const char* what, std::vector<std::int64_t> shape, bool trainable = true);
  void declare_buffer(const Node& node, const char* what, std::vector<std::int64_t> shape, bool integer);
  Graph graph_;
};

}  // namespace likeness::model
