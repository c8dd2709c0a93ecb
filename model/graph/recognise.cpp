#include "model/graph/recognise.h"

#include <algorithm>

#include "model/graph/backbones.h"

namespace likeness::model {
namespace {

constexpr int kLargestTried = 512;

bool same_names(const Graph& graph, const Weights& weights) {
  return graph.tensors.size() == weights.tensors.size() &&
         std::all_of(graph.tensors.begin(), graph.tensors.end(),
                     [&](const TensorSpec& spec) { return weights.tensors.count(spec.name) > 0; });
}

bool same_shapes(const Graph& graph, const Weights& weights) {
  return std::all_of(graph.tensors.begin(), graph.tensors.end(),
                     [&](const TensorSpec& spec) { return weights.tensors.at(spec.name).shape == spec.shape; });
}

// Every backbone ends in a batch norm of D elements.
std::int64_t embedding_of(const Graph& graph, const Weights& weights) {
  for (auto spec = graph.tensors.rbegin(); spec != graph.tensors.rend(); ++spec) {
    if (spec->shape.size() != 1) continue;
    const WeightTensor& t = weights.tensors.at(spec->name);
    return t.shape.size() == 1 ? t.shape[0] : 0;
  }
  return 0;
}

}  // namespace

std::optional<Graph> recognise_backbone(const Weights& weights) {
  for (const std::string& name : backbone_names()) {
    BackboneOptions options{.name = name};
    const Graph usual = build_backbone(options);
    if (!same_names(usual, weights)) continue;
    const std::int64_t embedding = embedding_of(usual, weights);
    if (embedding < 1 || embedding > 65536) continue;
    options.embedding = static_cast<int>(embedding);
    std::vector<int> inputs{options.input};
    for (int input = 16; input <= kLargestTried; input += 16) inputs.push_back(input);
    for (int input : inputs) {
      options.input = input;
      Graph graph = build_backbone(options);
      if (same_shapes(graph, weights)) return graph;
    }
  }
  return std::nullopt;
}

}  // namespace likeness::model
