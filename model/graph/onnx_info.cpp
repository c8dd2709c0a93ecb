#include <algorithm>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "model/graph/onnx.h"
#include "model/graph/onnx_proto.h"

namespace likeness::model {
namespace {

std::vector<std::int64_t> shape_of(const onnx::ValueInfoProto& value) {
  std::vector<std::int64_t> shape;
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    shape.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value() : -1);
  }
  return shape;
}

}  // namespace

onnx::ModelProto parse_model(std::span<const std::byte> bytes, const std::string& where) {
  onnx::ModelProto model;
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph()) {
    fail_data({"not an ONNX model", where, "an ONNX protobuf of at most 2 GiB with a graph",
               std::to_string(bytes.size()) + " bytes that are none", ""});
  }
  return model;
}

OnnxInfo onnx_info(std::span<const std::byte> bytes, const std::string& where) {
  const onnx::ModelProto model = parse_model(bytes, where);
  OnnxInfo info;
  for (const auto& property : model.metadata_props()) info.metadata[property.key()] = property.value();
  for (const auto& opset : model.opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") info.opset = opset.version();
  }
  info.ir = model.ir_version();
  std::set<std::string> initializers;  // files of IR 3 list them among the inputs
  for (const auto& tensor : model.graph().initializer()) initializers.insert(tensor.name());
  std::vector<const onnx::ValueInfoProto*> inputs;
  for (const auto& input : model.graph().input()) {
    if (initializers.count(input.name()) == 0) inputs.push_back(&input);
  }
  if (inputs.size() != 1 || model.graph().output_size() != 1) {
    fail_data({"not an embedding network", where, "one input and one output",
               std::to_string(inputs.size()) + " inputs, " + std::to_string(model.graph().output_size()) + " outputs",
               ""});
  }
  info.input = inputs[0]->name();
  info.output = model.graph().output(0).name();
  info.input_shape = shape_of(*inputs[0]);
  info.output_shape = shape_of(model.graph().output(0));
  return info;
}

OnnxInfo onnx_info(const std::filesystem::path& path) {
  const MappedFile file(path);
  return onnx_info(file.bytes(), path.string());
}

bool onnx_contract(const std::map<std::string, std::string>& metadata, ModelContract* contract) {
  const auto it = metadata.find(kContractKey);
  if (it == metadata.end()) return false;
  *contract = ModelContract::from_json(it->second, kContractKey);
  return true;
}

}  // namespace likeness::model
