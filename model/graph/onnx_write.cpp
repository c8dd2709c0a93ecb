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
#include "model/graph/onnx_writer.h"

namespace likeness::model {
namespace {

// The floor for per-channel QDQ, and a version every runtime of the last years reads (docs/formats/weights.md).
constexpr std::int64_t kOpset = 13, kIr = 7;

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
  OnnxWriter(graph, weights, out).write();

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
