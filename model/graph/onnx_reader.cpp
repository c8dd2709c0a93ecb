#include "model/graph/onnx_reader.h"

#include <cstring>

#include "core/error.h"
#include "model/graph/onnx_proto.h"

namespace likeness::model {
namespace {

constexpr std::int64_t kOldestOpset = 9;  // before it BatchNormalization had other attributes

// Before the constructor's body has checked the shape: an impossible size gets its message from there.
std::int64_t size(const OnnxInfo& info, std::size_t i) {
  return i < info.input_shape.size() && info.input_shape[i] > 0 ? info.input_shape[i] : 1;
}

int small(const OnnxNode& node, std::int64_t value) {
  if (value < 0 || value > 1 << 20) node.refuse("a size up to 2^20", std::to_string(value));
  return static_cast<int>(value);
}

}  // namespace

OnnxReader::OnnxReader(const onnx::GraphProto& in, const OnnxInfo& info, const std::string& where)
    : in_(in), info_(info), where_(where), builder_("onnx", size(info, 2), size(info, 3)) {
  if (info.opset < kOldestOpset) refuse_file("opset 9 or later", "opset " + std::to_string(info.opset));
  if (info.input_shape.size() != 4 || info.input_shape[1] != 3 || info.input_shape[2] < 1 || info.input_shape[3] < 1) {
    refuse_file("an input [batch,3,height,width] of fixed height and width", "another shape");
  }
  for (const onnx::TensorProto& t : in.initializer()) {
    if (!initializers_.emplace(t.name(), &t).second) refuse_file("every initializer once", t.name() + " twice");
  }
  take_constants();
  for (int i = 0; i < in.node_size(); ++i) {
    for (const std::string& input : in.node(i).input()) readers_[input].push_back(i);
  }
}

OnnxModel OnnxReader::read() {
  edges_[info_.input] = builder_.input();
  for (int i = 0; i < in_.node_size(); ++i) {
    if (chained_.count(i) > 0) continue;
    const OnnxNode node(in_.node(i), i, where_);
    if (read_plumbing(node)) continue;
    std::string last = node.output();
    const int index = read_node(node, &last);
    if (!edges_.emplace(last, index).second) node.refuse("an output that no other node has", last);
  }
  const auto output = edges_.find(info_.output);
  if (output == edges_.end()) refuse_file("a node that gives the output " + info_.output, "none");
  OnnxModel model;
  model.graph = builder_.finish(output->second);
  model.weights = std::move(weights_);
  model.metadata = info_.metadata;
  return model;
}

void OnnxReader::refuse_file(const std::string& expected, const std::string& got) const {
  fail_data({"ONNX file cannot be read as a network", where_, expected, got, ""});
}

int OnnxReader::read_node(const OnnxNode& node, std::string* last) {
  if (node.op() == "Conv") return read_conv(node);
  if (node.op() == "BatchNormalization") return read_batch_norm(node);
  if (node.op() == "PRelu") return read_prelu(node);
  if (node.op() == "Gemm") return read_gemm(node);
  if (node.op() == "Add") return read_add(node);
  if (node.op() == "Flatten") {
    node.expect_inputs(1, 1);
    node.expect_attributes({"axis"});
    if (node.integer("axis", 1) != 1) node.refuse("axis 1", std::to_string(node.integer("axis", 1)));
    return builder_.flatten(unique(node.name()), edge(node, 0));
  }
  if (node.op() == "Reshape") return read_reshape(node, last);
  if (node.op() == "MatMul") return read_token_linear(node, last);
  if (node.op() == "ReduceMean") return read_layer_norm(node, last);
  if (node.op() == "Split") return read_attention(node, last);
  if (node.op() == "Clip") return read_clip(node);
  if (node.op() == "Relu") return read_relu(node);
  node.refuse(
      "Conv, BatchNormalization, PRelu, Relu, Clip, Add, Flatten, Reshape to a vector, Gemm, MatMul, or what a "
      "Vision Transformer of ours has",
      node.op());
}

int OnnxReader::read_conv(const OnnxNode& node) {
  node.expect_inputs(2, 3);
  node.expect_attributes({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  const int x = edge(node, 0);
  WeightTensor weight = parameter(node, 1);
  const std::vector<std::int64_t> shape = weight.shape;
  if (shape.size() != 4) node.refuse("a weight [O,I,kh,kw]", shape_text(shape));
  if (node.text("auto_pad", "NOTSET") != "NOTSET") node.refuse("explicit pads", node.text("auto_pad", ""));
  if (node.same("dilations", 2, 1) != 1) node.refuse("dilation 1", std::to_string(node.same("dilations", 2, 1)));
  GraphBuilder::Conv c{.channels = shape[0], .kernel = 0};
  c.groups = node.integer("group", 1);
  c.stride = small(node, node.same("strides", 2, 1));
  c.padding = small(node, node.same("pads", 4, 0));
  c.bias = node.has_input(2);
  const std::string prefix = prefix_of(node);
  const int y = builder_.conv(prefix, x, c, small(node, shape[2]), small(node, shape[3]));
  keep(node, prefix + ".weight", std::move(weight), {shape[0], builder_.shape(x)[0] / c.groups, shape[2], shape[3]});
  if (c.bias) keep(node, prefix + ".bias", parameter(node, 2), {shape[0]});
  return y;
}

int OnnxReader::read_batch_norm(const OnnxNode& node) {
  node.expect_inputs(5, 5);
  node.expect_attributes({"epsilon", "momentum", "spatial", "training_mode"});
  const int x = edge(node, 0);
  if (node.integer("training_mode", 0) != 0) node.refuse("evaluation mode", "training mode");
  if (node.integer("spatial", 1) != 1) node.refuse("statistics per channel", "statistics per place");
  const std::string prefix = prefix_of(node);
  const int y = builder_.batch_norm(prefix, x, node.real("epsilon", 1e-5));
  const char* const names[] = {".weight", ".bias", ".running_mean", ".running_var"};
  for (int i = 0; i < 4; ++i) keep(node, prefix + names[i], parameter(node, i + 1), {builder_.shape(y)[0]});
  const std::int64_t zero = 0;
  weights_.tensors[prefix + ".num_batches_tracked"] = WeightTensor::i64({}, &zero);
  return y;
}

int OnnxReader::read_prelu(const OnnxNode& node) {
  node.expect_inputs(2, 2);
  node.expect_attributes({});
  const int x = edge(node, 0);
  WeightTensor slope = parameter(node, 1);
  const std::vector<std::int64_t> in = builder_.shape(x);
  // [C,1,1] or [1,C,1,1] on feature maps, [D] on vectors. [C] on feature maps would broadcast along the width.
  std::vector<std::int64_t> shape = slope.shape;
  if (in.size() == 3 && shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin());
  const std::vector<std::int64_t> wanted = in.size() == 3 ? std::vector<std::int64_t>{in[0], 1, 1} : in;
  if (shape != wanted) node.refuse("a slope per channel " + shape_text(wanted), shape_text(slope.shape));
  slope.shape = {in[0]};
  const std::string prefix = prefix_of(node);
  const int y = builder_.prelu(prefix, x);
  keep(node, prefix + ".weight", std::move(slope), {in[0]});
  return y;
}

int OnnxReader::read_gemm(const OnnxNode& node) {
  node.expect_inputs(2, 3);
  node.expect_attributes({"alpha", "beta", "transA", "transB"});
  const int x = edge(node, 0);
  if (node.real("alpha", 1) != 1 || node.real("beta", 1) != 1 || node.integer("transA", 0) != 0) {
    node.refuse("alpha 1, beta 1, transA 0", "other values");
  }
  if (builder_.shape(x).size() != 1) node.refuse("a vector [D]", shape_text(builder_.shape(x)));
  WeightTensor weight = parameter(node, 1);
  if (weight.shape.size() != 2) node.refuse("a weight [O,I]", shape_text(weight.shape));
  if (node.integer("transB", 0) == 0) weight = transposed(weight);
  const std::int64_t outputs = weight.shape[0];
  const std::string prefix = prefix_of(node);
  const int y = builder_.linear(prefix, x, outputs, node.has_input(2));
  keep(node, prefix + ".weight", std::move(weight), {outputs, builder_.shape(x)[0]});
  if (node.has_input(2)) {
    WeightTensor bias = parameter(node, 2);
    if (bias.shape.size() == 2 && bias.shape[0] == 1) bias.shape.erase(bias.shape.begin());
    keep(node, prefix + ".bias", std::move(bias), {outputs});
  }
  return y;
}

int OnnxReader::read_add(const OnnxNode& node) {
  node.expect_inputs(2, 2);
  node.expect_attributes({});
  if (!is_parameter(node, 1)) return builder_.add(unique(node.name()), edge(node, 0), edge(node, 1));
  const int x = edge(node, 0);
  const std::vector<std::int64_t> in = builder_.shape(x);
  if (in.size() != 2) node.refuse("a parameter added to tokens", shape_text(in));
  const std::string name = unique(node.input(1));
  const int y = builder_.positions(unique(node.name()), name, x);
  keep(node, name, parameter(node, 1), {1, in[0], in[1]});
  return y;
}

int OnnxReader::edge(const OnnxNode& node, int i) const {
  const auto it = edges_.find(node.input(i));
  if (it == edges_.end()) node.refuse("an input that an earlier node gives", "\"" + node.input(i) + "\"");
  return it->second;
}

bool OnnxReader::is_parameter(const OnnxNode& node, int i) const { return initializers_.count(node.input(i)) > 0; }

const onnx::TensorProto& OnnxReader::stored(const OnnxNode& node, int i) const {
  const auto it = initializers_.find(node.input(i));
  if (it == initializers_.end())
    node.refuse("an initializer as input " + std::to_string(i), "\"" + node.input(i) + "\"");
  if (it->second->data_location() == onnx::TensorProto::EXTERNAL)
    node.refuse("weights inside the file", it->first + " in another file");
  return *it->second;
}

WeightTensor OnnxReader::parameter(const OnnxNode& node, int i) const {
  const onnx::TensorProto& t = stored(node, i);
  WeightTensor out;
  std::size_t elements = 1;
  for (std::int64_t n : t.dims()) {
    if (n < 1 || __builtin_mul_overflow(elements, static_cast<std::size_t>(n), &elements))
      node.refuse("positive sizes", t.name());
    out.shape.push_back(n);
  }
  if (t.data_type() != onnx::TensorProto::FLOAT) node.refuse("f32 weights", t.name() + " of another type");
  const bool raw = t.has_raw_data();
  const std::size_t bytes = raw ? t.raw_data().size() : static_cast<std::size_t>(t.float_data_size()) * sizeof(float);
  if (elements > bytes / sizeof(float) || bytes != elements * sizeof(float)) {
    node.refuse(std::to_string(elements) + " values in " + t.name(), std::to_string(bytes) + " bytes");
  }
  out.data.resize(bytes);
  std::memcpy(out.data.data(), raw ? static_cast<const void*>(t.raw_data().data()) : t.float_data().data(), bytes);
  return out;
}

WeightTensor transposed(const WeightTensor& t) {
  WeightTensor out{t.dtype, {t.shape[1], t.shape[0]}, std::vector<std::byte>(t.data.size())};
  for (std::int64_t r = 0; r < t.shape[0]; ++r) {
    for (std::int64_t c = 0; c < t.shape[1]; ++c) {
      std::memcpy(&out.data[(c * t.shape[0] + r) * sizeof(float)], &t.data[(r * t.shape[1] + c) * sizeof(float)],
                  sizeof(float));
    }
  }
  return out;
}

void OnnxReader::keep(const OnnxNode& node, const std::string& name, WeightTensor tensor,
                      const std::vector<std::int64_t>& shape) {
  if (tensor.shape != shape) node.refuse(name + " " + shape_text(shape), shape_text(tensor.shape));
  if (!weights_.tensors.emplace(name, std::move(tensor)).second) node.refuse("a parameter of its own", name);
}

std::string OnnxReader::prefix_of(const OnnxNode& node) {
  const std::string& initializer = node.input(1);
  const bool named = initializer.size() > 7 && initializer.ends_with(".weight");
  return unique(named ? initializer.substr(0, initializer.size() - 7) : node.name());
}

std::string OnnxReader::unique(const std::string& wanted) {
  std::string name = wanted == kInputName ? wanted + "_node" : wanted;
  for (int i = 2; !names_.insert(name).second; ++i) name = wanted + '_' + std::to_string(i);
  return name;
}

}  // namespace likeness::model
