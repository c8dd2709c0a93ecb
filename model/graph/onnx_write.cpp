#include <onnx/checker.h>
#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/version.h"
#include "model/graph/backbones.h"
#include "model/graph/onnx.h"
#include "model/graph/onnx_proto.h"

namespace likeness::model {
namespace {

// The floor for per-channel QDQ, and a version every runtime of the last years reads (docs/formats/weights.md).
constexpr std::int64_t kOpset = 13, kIr = 7;

void set_ints(onnx::NodeProto* node, const char* name, std::initializer_list<std::int64_t> values) {
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

// Writes one graph's nodes and initializers.
class Writer {
 public:
  Writer(const Graph& graph, const Weights& weights, onnx::GraphProto* out)
      : graph_(graph), weights_(weights), out_(out) {}

  void write() {
    edges_.resize(graph_.nodes.size());
    edges_[0] = kInputName;
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (node.op == Op::kDropout) {  // identity: whoever reads it reads its input
        edges_[i] = edges_[node.inputs[0]];
        continue;
      }
      edges_[i] = node.name == kInputName || node.name == kOutputName ? node.name + "_edge" : node.name;
      if (i + 1 == graph_.nodes.size()) edges_[i] = kOutputName;
      write_node(node, edges_[i]);
    }
    LIKENESS_ASSERT(graph_.nodes.back().op != Op::kDropout);
  }

 private:
  void write_node(const Node& node, const std::string& edge) {
    onnx::NodeProto* proto = out_->add_node();
    proto->set_name(node.name);
    proto->add_output(edge);
    for (int input : node.inputs) proto->add_input(edges_[input]);
    switch (node.op) {
      case Op::kConv:
        proto->set_op_type("Conv");
        set_ints(proto, "dilations", {1, 1});
        set_int(proto, "group", node.groups);
        set_ints(proto, "kernel_shape", {node.kernel_h, node.kernel_w});
        set_ints(proto, "pads", {node.padding, node.padding, node.padding, node.padding});
        set_ints(proto, "strides", {node.stride, node.stride});
        add_parameter(proto, node, "weight");
        if (node.bias) add_parameter(proto, node, "bias");
        break;
      case Op::kBatchNorm:
        proto->set_op_type("BatchNormalization");
        set_float(proto, "epsilon", node.epsilon);
        set_float(proto, "momentum", 1 - node.momentum);  // ONNX counts what is kept, PyTorch what is replaced
        for (const char* what : {"weight", "bias", "running_mean", "running_var"}) add_parameter(proto, node, what);
        break;
      case Op::kPRelu:
        proto->set_op_type("PRelu");
        add_parameter(proto, node, "weight", node.shape.size() == 3);  // [C,1,1]: the slope's shape all engines run
        break;
      case Op::kAdd:
        proto->set_op_type("Add");
        break;
      case Op::kFlatten:
        proto->set_op_type("Flatten");  // never Reshape to a fixed size: that is how exported files lose their batch
        set_int(proto, "axis", 1);
        break;
      case Op::kLinear:
        proto->set_op_type("Gemm");
        set_float(proto, "alpha", 1);
        set_float(proto, "beta", 1);
        set_int(proto, "transB", 1);
        add_parameter(proto, node, "weight");
        if (node.bias) add_parameter(proto, node, "bias");
        break;
      case Op::kInput:
      case Op::kDropout:
        LIKENESS_ASSERT(false);
    }
  }

  void add_parameter(onnx::NodeProto* node, const Node& of, const char* what, bool per_map = false) {
    const std::string name = of.parameter(what);
    const WeightTensor& t = weights_.at(name);
    node->add_input(name);
    onnx::TensorProto* tensor = out_->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    for (std::int64_t n : t.shape) tensor->add_dims(n);
    if (per_map) tensor->add_dims(1), tensor->add_dims(1);
    if (t.dtype == "F32") {
      tensor->set_raw_data(t.data.data(), t.data.size());
      return;
    }
    const std::vector<double> wide = t.as_double();
    const std::vector<float> values(wide.begin(), wide.end());
    tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  }

  const Graph& graph_;
  const Weights& weights_;
  onnx::GraphProto* out_;
  std::vector<std::string> edges_;
};

void describe_ends(const Graph& graph, onnx::GraphProto* out) {
  onnx::ValueInfoProto* input = out->add_input();
  input->set_name(kInputName);
  auto* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("batch");
  for (std::int64_t n : graph.nodes[0].shape) type->mutable_shape()->add_dim()->set_dim_value(n);

  onnx::ValueInfoProto* output = out->add_output();
  output->set_name(kOutputName);
  type = output->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("batch");
  type->mutable_shape()->add_dim()->set_dim_value(graph.dimension);
}

std::map<std::string, std::string> metadata_of(const Graph& graph, const ModelContract& contract) {
  std::map<std::string, std::string> m;
  m[kContractKey] = contract.to_json();
  if (!graph.options.empty()) m[kBackboneKey] = backbone_json(backbone_options(graph));
  m["likeness.weights_hash"] = contract.weights_hash;
  m["likeness.revision"] = git_revision();
  m["likeness.version"] = version();
  // ONNX's own vocabulary (docs/MetadataProps.md there), as far as it can say what the contract says.
  m["Image.BitmapPixelFormat"] = contract.preprocess.order == "bgr" ? "Bgr8" : "Rgb8";
  m["Image.ColorSpaceGamma"] = "SRGB";
  const auto all = [](const std::array<double, 3>& values, double x) { return values == std::array{x, x, x}; };
  if (all(contract.preprocess.mean, 127.5) && all(contract.preprocess.std, 127.5))
    m["Image.NominalPixelRange"] = "Normalized_1_1";
  if (all(contract.preprocess.mean, 0) && all(contract.preprocess.std, 1))
    m["Image.NominalPixelRange"] = "NominalRange_0_255";
  return m;
}

// Last look before anything is written: a graph of ours that ONNX refuses would be refused by every engine.
void check(onnx::ModelProto* model, const std::string& name) {
  try {
    onnx::checker::check_model(*model);
    onnx::shape_inference::InferShapes(*model, onnx::OpSchemaRegistry::Instance(),
                                       {/*check_type=*/true, /*strict=*/1, /*data_prop=*/true});
  } catch (const std::exception& e) {
    std::string why = e.what();
    std::replace(why.begin(), why.end(), '\n', ' ');
    fail_data({"network cannot be written as ONNX", name, "a graph that passes ONNX's checker", why, ""});
  }
}

}  // namespace

std::string to_onnx(const Graph& graph, const Weights& weights, const ModelContract& contract,
                    const std::map<std::string, std::string>& extra_metadata) {
  check_weights(graph, weights, "weights to be exported");
  onnx::ModelProto model;
  model.set_ir_version(kIr);
  model.set_producer_name("likeness");
  model.set_producer_version(version());
  model.set_model_version(1);
  onnx::OperatorSetIdProto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(kOpset);
  onnx::GraphProto* out = model.mutable_graph();
  out->set_name(graph.architecture);
  describe_ends(graph, out);
  Writer(graph, weights, out).write();

  ModelContract complete = contract;
  complete.weights_hash = weights_hash(graph, weights);
  complete.dimension = static_cast<int>(graph.dimension);
  std::map<std::string, std::string> metadata = extra_metadata;
  for (auto& [key, value] : metadata_of(graph, complete)) metadata[key] = value;
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto* property = model.add_metadata_props();
    property->set_key(key);
    property->set_value(value);
  }
  if (model.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    fail_data({"network is too large for one ONNX file", graph.architecture, "at most 2 GiB",
               std::to_string(model.ByteSizeLong()) + " bytes", ""});
  }
  std::string bytes = model.SerializeAsString();  // before check(), whose shape inference adds to the graph
  check(&model, graph.architecture);
  return bytes;
}

}  // namespace likeness::model
