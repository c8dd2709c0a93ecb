#include "model/graph/onnx_writer.h"

#include "core/error.h"
#include "model/graph/onnx_proto.h"

namespace likeness::model {

void set_ints(onnx::NodeProto* node, const char* name, const std::vector<std::int64_t>& values) {
  onnx::AttributeProto* a = node->add_attribute();
  a->set_name(name);
  a->set_type(onnx::AttributeProto::INTS);
  for (std::int64_t v : values) a->add_ints(v);
}

void set_int(onnx::NodeProto* node, const char* name, std::int64_t value) {
  onnx::AttributeProto* a = node->add_attribute();
  a->set_name(name);
  a->set_type(onnx::AttributeProto::INT);
  a->set_i(value);
}

void set_float(onnx::NodeProto* node, const char* name, double value) {
  onnx::AttributeProto* a = node->add_attribute();
  a->set_name(name);
  a->set_type(onnx::AttributeProto::FLOAT);
  a->set_f(static_cast<float>(value));
}

OnnxWriter::OnnxWriter(const Graph& graph, const Weights& weights, onnx::GraphProto* out)
    : weights_(weights), out_(out), nodes_(graph.evaluation_nodes()) {}

void OnnxWriter::write() {
  edges_.resize(nodes_.size());
  edges_[0] = kInputName;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    edges_[i] = node.name == kInputName || node.name == kOutputName ? node.name + "_edge" : node.name;
    if (i + 1 == nodes_.size()) edges_[i] = kOutputName;
    write_node(node, edges_[i]);
  }
}

void OnnxWriter::write_node(const Node& node, const std::string& edge) {
  switch (node.op) {
    case Op::kConv:
      return write_conv(node, add("Conv", node.name, edge, {in(node)}));
    case Op::kBatchNorm: {
      onnx::NodeProto* proto = add("BatchNormalization", node.name, edge, {in(node)});
      set_float(proto, "epsilon", node.epsilon);
      set_float(proto, "momentum", 1 - node.momentum);  // ONNX counts what is kept, PyTorch what is replaced
      for (const char* what : {"weight", "bias", "running_mean", "running_var"})
        proto->add_input(parameter(node, what));
      return;
    }
    case Op::kPRelu: {
      const bool maps = node.shape.size() == 3;  // [C,1,1]: the slope's shape that all engines run
      const std::int64_t channels = node.shape[0];
      const std::vector<std::int64_t> shape = maps ? std::vector<std::int64_t>{channels, 1, 1} : std::vector{channels};
      add("PRelu", node.name, edge, {in(node), parameter(node, "weight", shape)});
      return;
    }
    case Op::kAdd:
      add("Add", node.name, edge, {in(node), edges_[node.inputs[1]]});
      return;
    case Op::kFlatten:  // never Reshape to a fixed size: that is how exported files lose their batch
      set_int(add("Flatten", node.name, edge, {in(node)}), "axis", 1);
      return;
    case Op::kLinear: {
      if (node.shape.size() == 2) return write_token_linear(node, edge);
      onnx::NodeProto* proto = add("Gemm", node.name, edge, {in(node)});
      set_float(proto, "alpha", 1);
      set_float(proto, "beta", 1);
      set_int(proto, "transB", 1);
      proto->add_input(parameter(node, "weight"));
      if (node.bias) proto->add_input(parameter(node, "bias"));
      return;
    }
    case Op::kTokens:
      return write_tokens(node, edge);
    case Op::kPositions:
      add("Add", node.name, edge, {in(node), parameter(node, "")});
      return;
    case Op::kLayerNorm:
      return write_layer_norm(node, edge);
    case Op::kAttention:
      return write_attention(node, edge);
    case Op::kRelu6:
      return write_relu6(node, edge);
    case Op::kRelu:
      add("Relu", node.name, edge, {in(node)});
      return;
    case Op::kInput:
    case Op::kDropout:
    case Op::kMaskTokens:
    case Op::kRestoreTokens:
      LIKENESS_ASSERT(!"not a node of evaluation");
  }
}

void OnnxWriter::write_conv(const Node& node, onnx::NodeProto* proto) {
  set_ints(proto, "dilations", {1, 1});
  set_int(proto, "group", node.groups);
  set_ints(proto, "kernel_shape", {node.kernel_h, node.kernel_w});
  set_ints(proto, "pads", {node.padding, node.padding, node.padding, node.padding});
  set_ints(proto, "strides", {node.stride, node.stride});
  proto->add_input(parameter(node, "weight"));
  if (node.bias) proto->add_input(parameter(node, "bias"));
}

onnx::NodeProto* OnnxWriter::add(const char* op, const std::string& name, const std::string& edge,
                                 const std::vector<std::string>& inputs) {
  onnx::NodeProto* node = out_->add_node();
  node->set_op_type(op);
  node->set_name(name);
  node->add_output(edge);
  for (const std::string& input : inputs) node->add_input(input);
  return node;
}

onnx::TensorProto* OnnxWriter::initializer(const std::string& name, const std::vector<std::int64_t>& shape, int type) {
  onnx::TensorProto* tensor = out_->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(type);
  for (std::int64_t n : shape) tensor->add_dims(n);
  return tensor;
}

std::string OnnxWriter::parameter(const Node& of, const char* what, const std::vector<std::int64_t>& shape) {
  const std::string name = of.parameter(what);
  const WeightTensor& t = weights_.at(name);
  onnx::TensorProto* tensor = initializer(name, shape.empty() ? t.shape : shape, onnx::TensorProto::FLOAT);
  if (t.dtype == "F32") {
    tensor->set_raw_data(t.data.data(), t.data.size());
  } else {
    const std::vector<double> wide = t.as_double();
    const std::vector<float> values(wide.begin(), wide.end());
    tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  }
  return name;
}

}  // namespace likeness::model
