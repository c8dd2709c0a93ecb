#include "model/run_model.h"

#include <charconv>
#include <optional>

#include "core/error.h"
#include "model/graph/graph_json.h"
#include "model/graph/onnx.h"

namespace likeness::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kAverageFile = "ema.safetensors";
constexpr const char* kFormat = "likeness.model/1";

// The moving average of the weights, if the run kept one, else the weights; nothing if `folder` holds neither.
std::optional<fs::path> model_in(const fs::path& folder) {
  for (const char* name : {kAverageFile, kWeightsFile})
    if (fs::is_regular_file(folder / name)) return folder / name;
  return std::nullopt;
}

// "step-1200" -> 1200.
std::optional<long> step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  long step = 0;
  if (!name.starts_with("step-")) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

// The complete checkpoint with the largest step; checkpoints are renamed into place, so a folder that is there is
// whole.
std::optional<fs::path> newest_checkpoint(const fs::path& checkpoints) {
  std::optional<fs::path> newest;
  long largest = -1;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, ignored)) {
    const std::optional<long> step = step_of(entry.path());
    if (!step || *step <= largest) continue;
    if (const auto file = model_in(entry.path())) {
      largest = *step;
      newest = file;
    }
  }
  return newest;
}

const std::string& entry(const std::map<std::string, std::string>& metadata, const std::string& key,
                         const fs::path& file) {
  const auto it = metadata.find(key);
  if (it != metadata.end()) return it->second;
  fail_data({"weights without a description", file.string(), "metadata \"" + key + "\", as likeness writes it", "none",
             "a bare state dict names neither its network nor its preprocessing"});
}

void check_contract(const TrainedModel& model, const std::string& where) {
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& got) {
    fail_data({"contract and network disagree", where + ", " + what, expected, got, "the file was altered"});
  };
  const Graph& g = model.graph;
  const ModelContract& c = model.contract;
  if (c.dimension != g.dimension) refuse("dimension", std::to_string(g.dimension), std::to_string(c.dimension));
  if (c.geometry.width != g.input_width || c.geometry.height != g.input_height) {
    refuse("geometry", std::to_string(g.input_width) + "x" + std::to_string(g.input_height), c.geometry.describe());
  }
  const std::string hash = weights_hash(g, model.weights);
  if (c.weights_hash != hash) refuse("weights_hash", c.weights_hash, hash);
}

TrainedModel load_safetensors(const fs::path& file) {
  TrainedModel model;
  model.weights = read_safetensors(file);
  const auto& metadata = model.weights.metadata;
  model.graph = metadata.count("graph") > 0
                    ? graph_from_json(metadata.at("graph"), file.string())
                    : build_backbone(backbone_from_json(entry(metadata, "backbone", file), file.string()));
  model.contract = ModelContract::from_json(entry(metadata, "contract", file), file.string());
  check_weights(model.graph, model.weights, file.string());
  return model;
}

TrainedModel load_onnx(const fs::path& file) {
  OnnxModel onnx = read_onnx(file);
  TrainedModel model;
  if (!onnx_contract(onnx.metadata, &model.contract)) {
    fail_data({"ONNX file without our contract", file.string(), "metadata \"likeness.contract\"", "none",
               "a foreign file's preprocessing and geometry must be said"});
  }
  model.graph = std::move(onnx.graph);
  model.weights = std::move(onnx.weights);
  return model;
}

}  // namespace

void save_model(const fs::path& file, const TrainedModel& model, IfExists if_exists) {
  check_weights(model.graph, model.weights, file.string());
  ModelContract contract = model.contract;
  contract.weights_hash = weights_hash(model.graph, model.weights);
  contract.dimension = static_cast<int>(model.graph.dimension);
  Weights weights = model.weights;
  weights.metadata["format"] = kFormat;
  weights.metadata.erase("backbone"), weights.metadata.erase("graph");
  if (model.graph.options.empty())
    weights.metadata["graph"] = graph_json(model.graph);
  else
    weights.metadata["backbone"] = backbone_json(backbone_options(model.graph));
  weights.metadata["contract"] = contract.to_json();
  write_safetensors(file, weights, if_exists);
}

fs::path find_model_file(const fs::path& path) {
  if (fs::is_regular_file(path)) {
    if (path.extension() == ".safetensors" || path.extension() == ".onnx") return path;
    fail_data({"not a model", path.string(), "a run folder, a checkpoint, .safetensors or .onnx",
               "a file of another kind", ""});
  }
  if (!fs::is_directory(path)) {
    fail_data(
        {"model not found", path.string(), "a run folder, a checkpoint, .safetensors or .onnx", "nothing there", ""});
  }
  for (const fs::path& folder : {path, path / "best"}) {
    if (const auto file = model_in(folder)) return *file;
  }
  if (const auto newest = newest_checkpoint(path / "checkpoints")) return *newest;
  fail_data({"folder holds no model", path.string(), "model.safetensors, best/ or checkpoints/step-N/", "none of them",
             "a run writes its first checkpoint after checkpoint_every steps"});
}

TrainedModel load_model(const fs::path& path) {
  const fs::path file = find_model_file(path);
  TrainedModel model = file.extension() == ".onnx" ? load_onnx(file) : load_safetensors(file);
  check_contract(model, file.string());
  return model;
}

}  // namespace likeness::model
