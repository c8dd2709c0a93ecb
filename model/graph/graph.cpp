#include "model/graph/graph.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace likeness::model {
namespace {

// Sizes above this are refused, so that products of a few of them cannot overflow 64 bits.
constexpr std::int64_t kLargestSize = 1 << 20;

}  // namespace

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (std::int64_t s : shape) n *= s;
  return n;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += shape[i] < 0 ? "any" : std::to_string(shape[i]);
  }
  return text += ']';
}

const char* op_name(Op op) {
  switch (op) {
    case Op::kInput:
      return "Input";
    case Op::kConv:
      return "Conv";
    case Op::kBatchNorm:
      return "BatchNorm";
    case Op::kPRelu:
      return "PRelu";
    case Op::kAdd:
      return "Add";
    case Op::kFlatten:
      return "Flatten";
    case Op::kLinear:
      return "Linear";
    case Op::kDropout:
      return "Dropout";
    case Op::kTokens:
      return "Tokens";
    case Op::kPositions:
      return "Positions";
    case Op::kMaskTokens:
      return "MaskTokens";
    case Op::kRestoreTokens:
      return "RestoreTokens";
    case Op::kLayerNorm:
      return "LayerNorm";
    case Op::kAttention:
      return "Attention";
    case Op::kRelu6:
      return "Relu6";
    case Op::kRelu:
      return "Relu";
  }
  LIKENESS_ASSERT(false);
  return "";
}

std::vector<const char*> parameter_names(const Node& node) {
  switch (node.op) {
    case Op::kConv:
    case Op::kLinear:
      return node.bias ? std::vector<const char*>{"weight", "bias"} : std::vector<const char*>{"weight"};
    case Op::kBatchNorm:
      return {"weight", "bias", "running_mean", "running_var"};
    case Op::kLayerNorm:
      return {"weight", "bias"};
    case Op::kPRelu:
      return {"weight"};
    case Op::kPositions:
      return {""};
    case Op::kInput:
    case Op::kAdd:
    case Op::kFlatten:
    case Op::kTokens:
    case Op::kAttention:
    case Op::kRelu6:
    case Op::kRelu:
    case Op::kDropout:
    case Op::kMaskTokens:
    case Op::kRestoreTokens:
      break;
  }
  return {};
}

std::int64_t Graph::parameter_count() const {
  std::int64_t n = 0;
  for (const TensorSpec& t : tensors) n += t.parameter ? element_count(t.shape) : 0;
  return n;
}

std::int64_t Graph::trainable_parameter_count() const {
  std::int64_t n = 0;
  for (const TensorSpec& t : tensors) n += t.parameter && t.trainable ? element_count(t.shape) : 0;
  return n;
}

Graph::Macs Graph::macs() const {
  Macs macs;
  for (const Node& node : nodes) {
    if (node.op == Op::kConv) {
      const std::int64_t inputs = nodes[node.inputs[0]].shape[0] / node.groups;
      macs.conv += element_count(node.shape) * inputs * node.kernel_h * node.kernel_w;
    } else if (node.op == Op::kLinear) {
      macs.linear += element_count(node.shape) * nodes[node.inputs[0]].shape.back();
    } else if (node.op == Op::kAttention) {
      macs.attention += 2 * node.shape[0] * element_count(node.shape);
    }
  }
  return macs;
}

std::vector<Node> Graph::evaluation_nodes() const {
  std::vector<Node> kept;
  std::vector<int> place(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node node = nodes[i];
    for (int& input : node.inputs) input = place[input];
    if (node.op == Op::kDropout || node.op == Op::kMaskTokens || node.op == Op::kRestoreTokens) {
      place[i] = node.inputs[0];
      continue;
    }
    place[i] = static_cast<int>(kept.size());
    kept.push_back(std::move(node));
  }
  return kept;
}

GraphBuilder::GraphBuilder(std::string architecture, std::int64_t height, std::int64_t width) {
  graph_.architecture = std::move(architecture);
  if (height < 1 || width < 1 || height > kLargestSize || width > kLargestSize) {
    refuse("data", "a positive input size", shape_text({3, height, width}));
  }
  graph_.input_height = height;
  graph_.input_width = width;
  Node node{.op = Op::kInput, .name = "data", .shape = {3, height, width}};
  graph_.nodes.push_back(std::move(node));
}

std::vector<std::int64_t> GraphBuilder::shape(int x) const {
  LIKENESS_ASSERT(x >= 0 && x < static_cast<int>(graph_.nodes.size()));
  return graph_.nodes[x].shape;
}

int GraphBuilder::add_node(Node node) {
  const auto same = [&](const Node& other) { return other.name == node.name; };
  if (node.name.empty() || std::any_of(graph_.nodes.begin(), graph_.nodes.end(), same)) {
    refuse(node.name, "a name that no other node has", node.name.empty() ? "an empty name" : "a repeated one");
  }
  graph_.nodes.push_back(std::move(node));
  return static_cast<int>(graph_.nodes.size()) - 1;
}

void GraphBuilder::refuse(const std::string& node, std::string expected, std::string got) const {
  fail_data(
      {"network cannot be built", graph_.architecture + ", node " + node, std::move(expected), std::move(got), ""});
}

TensorSpec& GraphBuilder::declare(const Node& node, const char* what, std::vector<std::int64_t> shape, bool trainable) {
  return graph_.tensors.emplace_back(TensorSpec{node.parameter(what), std::move(shape), true, trainable});
}

void GraphBuilder::declare_buffer(const Node& node, const char* what, std::vector<std::int64_t> shape, bool integer) {
  graph_.tensors.push_back({node.parameter(what), std::move(shape), false, false, integer, integer});
}

int GraphBuilder::conv(const std::string& prefix, int x, Conv c) { return conv(prefix, x, c, c.kernel, c.kernel); }

int GraphBuilder::conv(const std::string& prefix, int x, Conv c, int kernel_h, int kernel_w) {
  const std::vector<std::int64_t> in = shape(x);
  if (in.size() != 3) refuse(prefix, "feature maps [C,H,W]", shape_text(in));
  const auto sane = [](std::int64_t n, std::int64_t least) { return n >= least && n <= kLargestSize; };
  if (!sane(c.channels, 1) || !sane(c.groups, 1) || !sane(kernel_h, 1) || !sane(kernel_w, 1) || !sane(c.stride, 1) ||
      !sane(c.padding, 0)) {
    refuse(prefix, "positive channels, groups, kernel and stride; padding >= 0", "a value out of range");
  }
  if (in[0] % c.groups != 0 || c.channels % c.groups != 0) {
    refuse(prefix, "groups that divide input and output channels",
           std::to_string(c.groups) + " groups, " + std::to_string(in[0]) + " -> " + std::to_string(c.channels) +
               " channels");
  }
  const std::int64_t free_h = in[1] + 2 * c.padding - kernel_h, free_w = in[2] + 2 * c.padding - kernel_w;
  if (free_h < 0 || free_w < 0) {
    refuse(prefix, "a kernel no larger than its padded input",
           std::to_string(kernel_h) + "x" + std::to_string(kernel_w) + " on " + shape_text(in));
  }
  Node node{.op = Op::kConv, .name = prefix, .prefix = prefix, .inputs = {x}};
  node.kernel_h = kernel_h;
  node.kernel_w = kernel_w;
  node.stride = c.stride;
  node.padding = c.padding;
  node.groups = static_cast<int>(c.groups);
  node.bias = c.bias;
  node.shape = {c.channels, free_h / c.stride + 1, free_w / c.stride + 1};
  const int index = add_node(node);
  declare(node, "weight", {c.channels, in[0] / c.groups, kernel_h, kernel_w});
  if (c.bias) declare(node, "bias", {c.channels});
  return index;
}

int GraphBuilder::batch_norm(const std::string& prefix, int x, double epsilon, bool weight_trainable) {
  if (!(epsilon > 0)) refuse(prefix, "a positive epsilon", std::to_string(epsilon));
  const std::vector<std::int64_t> in = shape(x);
  if (in.size() == 2) refuse(prefix, "feature maps [C,H,W] or a vector [D]", shape_text(in));
  Node node{.op = Op::kBatchNorm, .name = prefix, .prefix = prefix, .inputs = {x}};
  node.epsilon = epsilon;
  node.shape = in;
  const int index = add_node(node);
  declare(node, "weight", {in[0]}, weight_trainable);
  declare(node, "bias", {in[0]});
  declare_buffer(node, "running_mean", {in[0]}, false);
  declare_buffer(node, "running_var", {in[0]}, false);
  declare_buffer(node, "num_batches_tracked", {}, true);
  return index;
}

int GraphBuilder::prelu(const std::string& prefix, int x) {
  if (shape(x).size() == 2) refuse(prefix, "feature maps [C,H,W] or a vector [D]", shape_text(shape(x)));
  Node node{.op = Op::kPRelu, .name = prefix, .prefix = prefix, .inputs = {x}, .shape = shape(x)};
  const int index = add_node(node);
  declare(node, "weight", {node.shape[0]});
  return index;
}

int GraphBuilder::add(const std::string& name, int a, int b) {
  if (shape(a) != shape(b))
    refuse(name, "two inputs of equal shape", shape_text(shape(a)) + " and " + shape_text(shape(b)));
  return add_node({.op = Op::kAdd, .name = name, .inputs = {a, b}, .shape = shape(a)});
}

int GraphBuilder::flatten(const std::string& name, int x) {
  const std::int64_t size = element_count(shape(x));
  return add_node({.op = Op::kFlatten, .name = name, .inputs = {x}, .shape = {size}});
}

int GraphBuilder::linear(const std::string& prefix, int x, std::int64_t features, bool bias) {
  const std::vector<std::int64_t> in = shape(x);
  if (in.size() > 2) refuse(prefix, "a vector [D] or tokens [T,D]", shape_text(in));
  if (features < 1 || features > kLargestSize)
    refuse(prefix, "a positive number of features", std::to_string(features));
  Node node{.op = Op::kLinear, .name = prefix, .prefix = prefix, .inputs = {x}};
  node.bias = bias;
  node.shape = in;
  node.shape.back() = features;
  const int index = add_node(node);
  declare(node, "weight", {features, in.back()});
  if (bias) declare(node, "bias", {features});
  return index;
}

Graph GraphBuilder::finish(int output) {
  const std::vector<std::int64_t> out = shape(output);
  const std::string& name = graph_.nodes[output].name;
  if (out.size() != 1) refuse(name, "an output vector [D]", shape_text(out));
  std::vector<int> uses(graph_.nodes.size(), 0);
  for (const Node& node : graph_.nodes) {
    for (int input : node.inputs) ++uses[input];
  }
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const bool is_output = static_cast<int>(i) == output;
    if (is_output != (uses[i] == 0)) {
      refuse(graph_.nodes[i].name, "every node but the output to be used",
             is_output ? "a used output" : "an unused node");
    }
  }
  LIKENESS_ASSERT(output == static_cast<int>(graph_.nodes.size()) - 1);
  graph_.dimension = out[0];
  return std::move(graph_);
}

}  // namespace likeness::model
