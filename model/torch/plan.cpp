#include "model/torch/plan.h"

#include <algorithm>

#include "core/error.h"

namespace likeness::model {
namespace {

Step::Kind kind_of(Op op) {
  switch (op) {
    case Op::kConv:
      return Step::Kind::kConv;
    case Op::kBatchNorm:
      return Step::Kind::kNorm;
    case Op::kPRelu:
      return Step::Kind::kPRelu;
    case Op::kAdd:
      return Step::Kind::kAdd;
    case Op::kFlatten:
      return Step::Kind::kFlatten;
    case Op::kLinear:
      return Step::Kind::kLinear;
    case Op::kDropout:
      return Step::Kind::kDropout;
    case Op::kTokens:
      return Step::Kind::kTokens;
    case Op::kPositions:
      return Step::Kind::kPositions;
    case Op::kMaskTokens:
      return Step::Kind::kMaskTokens;
    case Op::kRestoreTokens:
      return Step::Kind::kRestoreTokens;
    case Op::kLayerNorm:
      return Step::Kind::kLayerNorm;
    case Op::kAttention:
      return Step::Kind::kAttention;
    case Op::kRelu6:
      return Step::Kind::kRelu6;
    case Op::kRelu:
      return Step::Kind::kRelu;
    case Op::kInput:
      break;
  }
  LIKENESS_ASSERT(!"an input is not a step");
  return Step::Kind::kAdd;
}

}  // namespace

std::vector<Step> make_plan(const Graph& graph) {
  const int count = static_cast<int>(graph.nodes.size());
  std::vector<int> readers(count, 0);
  for (const Node& node : graph.nodes) {
    for (int input : node.inputs) ++readers[input];
  }
  ++readers[count - 1];  // the caller
  const auto fusable = [&](int i) { return graph.nodes[i].op == Op::kBatchNorm && readers[i] == 1; };

  std::vector<Step> steps;
  std::vector<bool> absorbed(count, false);
  for (int i = 0; i < count; ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != Op::kPRelu && node.op != Op::kAdd) continue;
    const int last = *std::max_element(node.inputs.begin(), node.inputs.end());
    if (fusable(last)) absorbed[last] = true;
  }
  for (int i = 0; i < count; ++i) {
    const Node& node = graph.nodes[i];
    if (node.op == Op::kInput || absorbed[i]) continue;
    Step step{.kind = kind_of(node.op), .output = i, .node = i, .input = node.inputs.at(0)};
    if (node.op == Op::kAdd || node.op == Op::kRestoreTokens) step.other = node.inputs.at(1);
    for (int input : node.inputs) {
      if (!absorbed[input]) continue;
      step.kind = Step::Kind::kNorm;
      step.node = input;
      step.input = graph.nodes[input].inputs.at(0);
      if (node.op == Op::kPRelu) step.prelu = i;
      if (node.op == Op::kAdd) step.other = node.inputs[0] == input ? node.inputs[1] : node.inputs[0];
    }
    steps.push_back(std::move(step));
  }
  std::vector<int> last_read(count, -1);
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    last_read[steps[s].input] = s;
    if (steps[s].other >= 0) last_read[steps[s].other] = s;
  }
  for (int i = 0; i + 1 < count; ++i) {
    if (last_read[i] >= 0) steps[last_read[i]].dies.push_back(i);
  }
  return steps;
}

}  // namespace likeness::model
