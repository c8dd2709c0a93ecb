// What a run folder, a checkpoint or a .safetensors holds for everybody else: the network, its weights and its
// contract.
#pragma once

#include <filesystem>

#include "core/preprocess.h"
#include "model/graph/backbones.h"
#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

struct TrainedModel {
  Graph graph;
  Weights weights;         // the backbone's state dict, no head
  ModelContract contract;  // flip "none", precision "f32"
};

// The weights file of a checkpoint: "model.safetensors", whose metadata holds "format", "backbone" (JSON of
// BackboneOptions; "graph" instead, graph_json.h, for a network that is none of ours) and "contract" (ModelContract JSON; its weights_hash and dimension are filled in here).
// docs/formats/weights.md.
void save_model(const std::filesystem::path& file, const TrainedModel& model, IfExists if_exists);

// Accepts a run folder (its best/, else its newest checkpoint), a checkpoint folder, a .safetensors, or an .onnx of
// ours. Of a folder that holds ema.safetensors, the moving average of the weights, that is taken; the weights as they
// were trained are had by naming the folder's model.safetensors. kData naming what is missing, or what does not agree
// with the contract (weights hash, dimension, input size).
TrainedModel load_model(const std::filesystem::path& path);
// The file load_model would read.
std::filesystem::path find_model_file(const std::filesystem::path& path);

}  // namespace likeness::model
