#include "model/weights_file.h"

#include "core/error.h"
#include "model/graph/match.h"
#include "model/graph/onnx.h"
#include "model/graph/recognise.h"
#include "model/graph/torch_file.h"
#include "model/graph/unfold.h"

namespace likeness::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKinds = "a run folder, a checkpoint, .safetensors, .pt, .pth or .onnx";

bool is_torch(const fs::path& path) { return path.extension() == ".pt" || path.extension() == ".pth"; }

WeightsFile read_model(const fs::path& path) {
  TrainedModel model = load_model(path);
  return {path, "likeness model", std::move(model.weights), std::move(model.graph), std::move(model.contract)};
}

WeightsFile read_onnx_file(const fs::path& path) {
  OnnxModel onnx = read_onnx(path);
  WeightsFile file{path, kOnnxKind, std::move(onnx.weights), std::move(onnx.graph), {}};
  ModelContract contract;
  if (onnx_contract(onnx.metadata, &contract)) file.contract = contract;
  return file;
}

}  // namespace

std::vector<std::string> WeightsFile::order() const {
  std::vector<std::string> names;
  if (graph)
    for (const TensorSpec& spec : graph->tensors) names.push_back(spec.name);
  else
    for (const auto& [name, tensor] : weights.tensors) names.push_back(name);
  return names;
}

WeightsFile read_weights_file(const fs::path& path) {
  if (fs::is_directory(path)) return read_model(find_model_file(path));
  if (!fs::exists(path)) fail_data({"weights not found", path.string(), kKinds, "nothing there", ""});
  if (path.extension() == ".onnx") return read_onnx_file(path);
  WeightsFile file{path, "", {}, {}, {}};
  if (path.extension() == ".safetensors") {
    file.weights = read_safetensors(path);
    if (file.weights.metadata.count("contract") > 0) return read_model(path);
    file.kind = "safetensors";
  } else if (is_torch(path)) {
    file.weights = read_torch_file(path);
    file.kind = "PyTorch file";
  } else {
    fail_data({"not a file of weights", path.string(), kKinds, "a file of another kind", ""});
  }
  file.graph = recognise_backbone(file.weights);
  return file;
}

std::vector<std::string> make_trainable(WeightsFile* file) {
  if (file->kind != kOnnxKind || !file->graph->options.empty()) return {};
  Graph graph = *file->graph;
  Weights weights = file->weights;
  std::vector<std::string> restored = restore_batch_norms(&graph, &weights, Node{}.epsilon);  // the backbones'
  if (std::optional<NamedNetwork> named = match_backbone(graph, weights)) {
    for (std::string& prefix : restored) prefix = named->prefixes.at(prefix);
    file->graph = std::move(named->graph);
    file->weights = std::move(named->weights);
    return restored;
  }
  return restore_batch_norms(&*file->graph, &file->weights);
}

ModelContract arcface_torch_contract(const Graph& graph) {
  ModelContract contract;
  contract.geometry = FaceGeometry::arcface(static_cast<int>(graph.input_width));
  contract.dimension = static_cast<int>(graph.dimension);
  return contract;
}

void write_weights_file(const fs::path& path, const WeightsFile& file, IfExists if_exists) {
  if (is_torch(path)) return write_torch_file(path, file.weights, file.order(), if_exists);
  if (path.extension() == ".onnx")
    fail_usage({"ONNX files are written by another verb", path.string(), ".safetensors, .pt or .pth", ".onnx",
                "likeness export onnx writes one, and has independent engines agree with it first"});
  if (path.extension() != ".safetensors")
    fail_usage({"the file's extension names no format", path.string(), ".safetensors, .pt or .pth",
                path.extension().string(), ""});
  if (file.graph && file.contract) return save_model(path, {*file.graph, file.weights, *file.contract}, if_exists);
  write_safetensors(path, file.weights, if_exists);
}

}  // namespace likeness::model
