// A network as a plain value: nodes and named parameters. Every consumer reads this: the trainer's module, the interpreter,
// ONNX in and out, counts, quantisation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace likeness::model {

enum class Op { kInput, kConv, kBatchNorm, kPRelu, kAdd, kFlatten, kLinear, kDropout };

// A node's output is the edge of the same name. Feature maps are [B,C,H,W], vectors [B,D].
struct Node {
  Op op;
  std::string name;                 // unique; parameters are "<name>.weight", … unless `prefix` says otherwise
  std::string prefix;               // parameter prefix, arcface_torch's names ("layer1.0.conv1")
  std::vector<int> inputs;          // indices of earlier nodes
  // Conv: kernel, stride, padding, groups; Linear and Conv: bias
  int kernel_h = 0, kernel_w = 0, stride = 1, padding = 0, groups = 1;
  bool bias = false;
  double epsilon = 1e-5, momentum = 0.1;  // BatchNorm
  double dropout = 0;
  // shape of the output without the batch: {C,H,W} or {D}
  std::vector<std::int64_t> shape;
};

// Declares one tensor of the state dict, in arcface_torch's order.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  bool parameter = true;   // false: a buffer (running statistics)
  bool trainable = true;   // iresnet's "features.weight" is frozen
  bool integer = false;    // "num_batches_tracked": i64 scalar
};

struct Graph {
  std::string architecture;         // "mbf", "r50", …
  std::map<std::string, std::string> options;  // what build_backbone was given, as text, so that a file can rebuild it
  std::vector<Node> nodes;          // topological; nodes[0] is the input, the last is the output
  std::vector<TensorSpec> tensors;  // state dict order
  std::int64_t input_height = 0, input_width = 0, dimension = 0;

  std::int64_t parameter_count() const;
  std::int64_t trainable_parameter_count() const;
  struct Macs { std::int64_t conv = 0, linear = 0, attention = 0; std::int64_t total() const { return conv + linear + attention; } };
  Macs macs() const;  // weight products for one picture
};

// Reads like algebra: x = g.conv("conv1", x, {64, 3}); x = g.batch_norm("bn1", x); x = g.prelu("prelu", x);
class GraphBuilder {
 public:
  struct Conv { std::int64_t channels; int kernel; int stride = 1; int padding = 0; std::int64_t groups = 1; bool bias = false; };
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
  Graph graph_;
};

}  // namespace likeness::model
