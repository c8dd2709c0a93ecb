// A network as text: how a model file describes one that is none of the named backbones.
#pragma once

#include <string>

#include "model/graph/graph.h"

namespace likeness::model {

// One JSON object {"architecture","input":[H,W],"nodes":[{"op","name","inputs",…}]}: every node with what its operator
// needs, and no weight. docs/formats/weights.md.
std::string graph_json(const Graph& graph);
// Through GraphBuilder, which infers and checks every shape; tensors come in the order of their nodes. kData naming
// `where`, and the node, when it is malformed.
Graph graph_from_json(const std::string& json, const std::string& where);

}  // namespace likeness::model
