#include "model/torch/plan.h"

#include <algorithm>

namespace likeness::model {
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
    Step step{.op = node.op, .output = i, .node = i, .input = node.inputs.at(0)};
    if (node.op == Op::kAdd || node.op == Op::kRestoreTokens) step.other = node.inputs.at(1);
    for (int input : node.inputs) {
      if (!absorbed[input]) continue;
      step.op = Op::kBatchNorm;
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
