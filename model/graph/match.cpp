#include "model/graph/match.h"

#include <algorithm>

#include "core/error.h"
#include "core/file.h"

namespace likeness::model {
namespace {

constexpr const char* kCounter = "num_batches_tracked";

// For every node a digest of what it computes from the picture: its own attributes and its inputs' digests. The inputs
// of an addition count in either order.
std::vector<std::string> signatures(const std::vector<Node>& nodes) {
  std::vector<std::string> all;
  for (const Node& node : nodes) {
    std::string text = std::string(op_name(node.op)) + shape_text(node.shape);
    for (int n : {node.kernel_h, node.kernel_w, node.stride, node.padding, node.groups, static_cast<int>(node.bias),
                  node.heads})
      text += ' ' + std::to_string(n);
    if (node.op == Op::kBatchNorm || node.op == Op::kLayerNorm)
      text += ' ' + std::to_string(static_cast<float>(node.epsilon) * 1e6);
    std::vector<std::string> inputs;
    for (int input : node.inputs) inputs.push_back(all[static_cast<std::size_t>(input)]);
    if (node.op == Op::kAdd) std::sort(inputs.begin(), inputs.end());
    for (const std::string& input : inputs) text += ' ' + input;
    all.push_back(xxh3_128_hex(std::as_bytes(std::span(text))));
  }
  return all;
}

class Pairing {
 public:
  Pairing(const std::vector<Node>& theirs, const std::vector<Node>& ours)
      : theirs_(theirs),
        ours_(ours),
        their_signs_(signatures(theirs)),
        our_signs_(signatures(ours)),
        partner_(ours.size(), -1) {}
  bool complete() {
    if (theirs_.size() != ours_.size() || their_signs_.back() != our_signs_.back()) return false;
    return pair(static_cast<int>(theirs_.size()) - 1, static_cast<int>(ours_.size()) - 1);
  }
  int partner(std::size_t our) const { return partner_[our]; }

 private:
  // Signatures are equal, so the inputs' are, in one order or the other. A node that has two readers must be one node
  // on both sides.
  bool pair(int their, int our) {
    int& known = partner_[static_cast<std::size_t>(our)];
    if (known >= 0) return known == their;
    known = their;
    const std::vector<int>&a = theirs_[static_cast<std::size_t>(their)].inputs,
          &b = ours_[static_cast<std::size_t>(our)].inputs;
    const bool crossed = a.size() == 2 && sign(their_signs_, a[0]) != sign(our_signs_, b[0]);
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!pair(a[crossed ? 1 - i : i], b[i])) return false;
    return true;
  }
  static const std::string& sign(const std::vector<std::string>& signs, int node) {
    return signs[static_cast<std::size_t>(node)];
  }
  const std::vector<Node>&theirs_, &ours_;
  std::vector<std::string> their_signs_, our_signs_;
  std::vector<int> partner_;
};

}  // namespace

std::optional<NamedNetwork> match_backbone(const Graph& graph, const Weights& weights, const BackboneOptions& options) {
  NamedNetwork named{build_backbone(options), {}, {}};
  const std::vector<Node> theirs = graph.evaluation_nodes(), ours = named.graph.evaluation_nodes();
  Pairing pairing(theirs, ours);
  if (!pairing.complete()) return std::nullopt;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const Node& their = theirs[static_cast<std::size_t>(pairing.partner(i))];
    if (!their.prefix.empty()) named.prefixes[their.prefix] = ours[i].prefix;
    for (const char* what : parameter_names(ours[i]))
      named.weights.tensors[ours[i].parameter(what)] = weights.at(their.parameter(what));
    if (ours[i].op == Op::kBatchNorm)
      named.weights.tensors[ours[i].parameter(kCounter)] = weights.at(their.parameter(kCounter));
  }
  for (const TensorSpec& spec : named.graph.tensors) {
    if (!spec.training_only || spec.integer) continue;
    const std::vector<float> zeros(static_cast<std::size_t>(element_count(spec.shape)));
    named.weights.tensors[spec.name] = WeightTensor::f32(spec.shape, zeros.data());
  }
  check_weights(named.graph, named.weights, "matched weights");
  return named;
}

std::optional<NamedNetwork> match_backbone(const Graph& graph, const Weights& weights) {
  if (graph.input_width != graph.input_height || graph.input_width < 16 || graph.input_width > 1024 ||
      graph.input_width % 16 != 0 || graph.dimension > 65536)
    return std::nullopt;
  for (const std::string& name : backbone_names()) {
    auto found = match_backbone(
        graph, weights,
        {.name = name, .input = static_cast<int>(graph.input_width), .embedding = static_cast<int>(graph.dimension)});
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace likeness::model
