// Where the network of a run begins when the recipe has `backbone.init`: weights of another run or another program.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/face_source.h"
#include "model/weights_file.h"
#include "train/recipe.h"

namespace likeness::train {

struct StartingPoint {
  std::string path;  // as the recipe says it
  model::Graph graph;
  model::Weights weights;
  std::optional<ModelContract> contract;  // how the file says its network is fed
  std::vector<std::string> restored;      // batch norms put back where an exporter had folded them
};

// Reads the file; nothing where the recipe has none. ONNX files of others become trainable: folded batch norms return
// as identities, and a network that is one of the backbones gets its names. With `backbone.name: init` the recipe takes
// the file's network, input and embedding size. contract->preprocess becomes what the recipe, the file or, for state
// dicts, arcface_torch's convention says. kData or kUsage naming file and key: another network, another width or input
// size, an ONNX file whose preprocessing nobody says, a state dict of no network of ours.
std::optional<StartingPoint> starting_point(Recipe& recipe, ModelContract* contract);

// Once the recipe's input size is known: kData where weights and network do not fit. Logs a warning where the file's
// network knew faces in another geometry.
void check_starting_point(const StartingPoint& start, const Recipe& recipe, const FaceGeometry& geometry);

// Gives restored batch norms the statistics of some of the set's pictures, so that training mode begins near what the
// file computes (model/graph/unfold.h). Once: then `restored` is empty.
void restate_statistics(StartingPoint* start, const ModelContract& contract, const data::FaceSource& source,
                        bool skip_bad, int threads);

}  // namespace likeness::train
