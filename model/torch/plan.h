// What the module does, step by step: the graph's nodes with batch norm fused into what follows it.
#pragma once

#include <vector>

#include "model/graph/graph.h"

namespace likeness::model {

// One call of an operator. Its value is kept under the index of the node whose output it is.
struct Step {
  Op op;           // kBatchNorm: with `other` and `prelu`, where they are fused into it
  int output;      // node index
  int node;        // the node whose parameters and attributes are used; where something is fused, the batch norm
  int input;       // node index
  int other = -1;  // kAdd: the second operand; kBatchNorm: what is added after it, if anything;
                   // kRestoreTokens: the node that chose the tokens
  int prelu = -1;  // kBatchNorm: the PReLU node applied after it, if any
  std::vector<int> dies = {};  // node indices whose values no later step reads
};

// A batch norm whose only reader is a PReLU or an addition is computed together with it. Of two such operands of one
// addition the later one is fused, since the other is then already there.
std::vector<Step> make_plan(const Graph& graph);

}  // namespace likeness::model
