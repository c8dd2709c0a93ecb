// A network as a plain value: nodes and named parameters. Every consumer reads this: the trainer's module, the
// interpreter, ONNX in and out, counts, quantisation. Plain data: copy it, share it between threads for reading.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace likeness::model {

enum class Op { kInput, kConv, kBatchNorm, kPRelu, kAdd, kFlatten, kLinear, kDropout };
const char* op_name(Op op);  // "Conv", "BatchNorm", …

// A node's output is the edge of the same name. Feature maps are [B,C,H,W], vectors [B,D].
//   Conv       y = conv2d(x, weight [O,I/groups,kh,kw]) (+ bias [O])
//   BatchNorm  y = weight (x - running_mean) / sqrt(running_var + epsilon) + bias, per channel or vector element
//   PRelu      y = x >= 0 ? x : weight[c] x
//   Linear     y = x weight^T (+ bias), weight [O,I]
//   Dropout    identity in evaluation mode
struct Node {
  Op op = Op::kInput;
  std::string name{};         // unique in the graph; equals `prefix` for nodes that have parameters
  std::string prefix{};       // of its parameters: arcface_torch's names ("layer1.0.conv1"); empty without parameters
  std::vector<int> inputs{};  // indices of earlier nodes
  // Conv: kernel, stride, padding, groups; Linear and Conv: bias
  int kernel_h = 0, kernel_w = 0, stride = 1, padding = 0, groups = 1;
  bool bias = false;
  // BatchNorm, in PyTorch's convention: running = (1 - momentum) running + momentum batch
  double epsilon = 1e-5, momentum = 0.1;
  double dropout = 0;  // probability of a zero
  // shape of the output without the batch: {C,H,W} or {D}
  std::vector<std::int64_t> shape{};

  std::string parameter(const char* what) const { return prefix + "." + what; }  // parameter("weight")
  bool operator==(const Node&) const = default;
};

std::int64_t element_count(const std::vector<std::int64_t>& shape);  // 1 for a scalar
std::string shape_text(const std::vector<std::int64_t>& shape);      // "[64,3,3,3]"; negative: "any"

// Declares one tensor of the state dict, in arcface_torch's order.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool parameter = true;  // false: a buffer (running statistics)
  bool trainable = true;  // false for buffers and for iresnet's frozen "features.weight"
  bool integer = false;   // "num_batches_tracked": i64 scalar
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
  Macs macs() const;  // weight products for one picture: no bias, batch norm or PReLU
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
  int dropout(const std::string& name, int x, double p);
  std::vector<std::int64_t> shape(int x) const;
  // The last node is the output [B,D].
  Graph finish(int output);

 private:
  int add_node(Node node);
  void declare(const Node& node, const char* what, std::vector<std::int64_t> shape, bool trainable = true);
  void declare_buffer(const Node& node, const char* what, std::vector<std::int64_t> shape, bool integer);
  Graph graph_;
};

}  // namespace likeness::model
