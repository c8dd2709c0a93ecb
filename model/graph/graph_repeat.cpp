#include "core/error.h"
#include "model/graph/graph.h"

namespace likeness::model {

int GraphBuilder::repeat(const Node& node, const std::vector<int>& inputs) {
  const std::size_t wanted = node.op == Op::kAdd || node.op == Op::kRestoreTokens ? 2 : 1;
  if (inputs.size() != wanted) refuse(node.name, std::to_string(wanted) + " inputs", std::to_string(inputs.size()));
  for (int input : inputs)
    if (input < 0 || input >= static_cast<int>(graph_.nodes.size()))
      refuse(node.name, "inputs that earlier nodes give", "input " + std::to_string(input));
  const int x = inputs[0];
  switch (node.op) {
    case Op::kConv:
      return conv(node.prefix, x,
                  {.channels = node.shape.at(0),
                   .kernel = node.kernel_h,
                   .stride = node.stride,
                   .padding = node.padding,
                   .groups = node.groups,
                   .bias = node.bias},
                  node.kernel_h, node.kernel_w);
    case Op::kBatchNorm:
      return batch_norm(node.prefix, x, node.epsilon);
    case Op::kPRelu:
      return prelu(node.prefix, x);
    case Op::kAdd:
      return add(node.name, x, inputs[1]);
    case Op::kFlatten:
      return flatten(node.name, x);
    case Op::kLinear:
      return linear(node.prefix, x, node.shape.back(), node.bias);
    case Op::kDropout:
      return dropout(node.name, x, node.dropout, node.whole);
    case Op::kTokens:
      return tokens(node.name, x);
    case Op::kPositions:
      return positions(node.name, node.prefix, x);
    case Op::kMaskTokens:
      return mask_tokens(node.name, x, node.dropout);
    case Op::kRestoreTokens:
      if (graph_.nodes[static_cast<std::size_t>(inputs[1])].op != Op::kMaskTokens)
        refuse(node.name, "the node that masked tokens as second input", "another node");
      return restore_tokens(node.name, node.prefix, x, inputs[1]);
    case Op::kLayerNorm:
      return layer_norm(node.prefix, x, node.epsilon);
    case Op::kAttention:
      return attention(node.name, x, node.heads);
    case Op::kRelu6:
      return relu6(node.name, x);
    case Op::kRelu:
      return relu(node.name, x);
    case Op::kInput:
      break;
  }
  refuse(node.name, "one input, the first node", "another");
}

}  // namespace likeness::model
