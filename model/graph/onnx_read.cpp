#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "model/graph/backbones.h"
#include "model/graph/onnx.h"
#include "model/graph/onnx_proto.h"
#include "model/graph/onnx_reader.h"

namespace likeness::model {
namespace {

// A file of ours names its backbone: the graph read from the nodes must be what evaluation runs of that one. It gets
// back what ONNX cannot hold: dropout and the like, frozen parameters, the exact epsilon.
void restore_backbone(OnnxModel* model, const std::string& where) {
  const auto json = model->metadata.find(kBackboneKey);
  if (json == model->metadata.end()) return;
  const BackboneOptions options = backbone_from_json(json->second, where);
  Graph backbone = build_backbone(options);
  const std::vector<Node> expected = backbone.evaluation_nodes(), &got = model->graph.nodes;
  for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
    const bool both = i < expected.size() && i < got.size();
    Node node = both ? got[i] : Node{};
    if (both && static_cast<float>(node.epsilon) == static_cast<float>(expected[i].epsilon))
      node.epsilon = expected[i].epsilon;
    if (both && node == expected[i]) continue;
    fail_data({"ONNX file is not the network it says it is", where + ", node " + std::to_string(i),
               i < expected.size() ? options.name + "'s " + expected[i].name : "no more nodes",
               i < got.size() ? got[i].name : "no more nodes", ""});
  }
  for (const TensorSpec& spec : backbone.tensors) {
    if (!spec.training_only || spec.integer) continue;  // a mask token begins anew
    const std::vector<float> zeros(static_cast<std::size_t>(element_count(spec.shape)));
    model->weights.tensors[spec.name] = WeightTensor::f32(spec.shape, zeros.data());
  }
  model->graph = std::move(backbone);
}

}  // namespace

OnnxModel parse_onnx(std::span<const std::byte> bytes, const std::string& where) {
  const OnnxInfo info = onnx_info(bytes, where);
  const onnx::ModelProto model = parse_model(bytes, where);
  OnnxModel out = OnnxReader(model.graph(), info, where).read();
  restore_backbone(&out, where);
  return out;
}

OnnxModel read_onnx(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_onnx(file.bytes(), path.string());
}

}  // namespace likeness::model
