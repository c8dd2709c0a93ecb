// Is a network read from a foreign file one of the backbones, under other names?
#pragma once

#include <map>
#include <optional>
#include <string>

#include "model/graph/backbones.h"
#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

struct NamedNetwork {
  Graph graph;                                  // as build_backbone makes it
  Weights weights;                              // under its names
  std::map<std::string, std::string> prefixes;  // of parameters: in the file -> here
};

// `graph` as the backbone `options` describe, when evaluation computes the same: equal operators, sizes, epsilons and
// connections, whatever nodes and parameters are called and in whichever order they stand. Nothing otherwise. What only
// training has (dropout, a mask token) begins as in a new network. `weights` must fit `graph`.
std::optional<NamedNetwork> match_backbone(const Graph& graph, const Weights& weights, const BackboneOptions& options);
// The first of backbone_names() with the graph's input and embedding size that matches.
std::optional<NamedNetwork> match_backbone(const Graph& graph, const Weights& weights);

}  // namespace likeness::model
