// The smallest network that has one of everything.
#pragma once

#include "model/graph/graph.h"

namespace likeness::test {

// [B,3,16,16] -> [B,dimension].
inline model::Graph small_graph(int dimension = 8, bool batch_norm = false) {
  model::GraphBuilder g("small", 16, 16);
  int x = g.conv("conv", g.input(), {.channels = 6, .kernel = 3, .stride = 4, .padding = 1, .bias = true});
  if (batch_norm) x = g.batch_norm("bn", x);
  x = g.prelu("prelu", x);
  x = g.flatten("flatten", x);
  return g.finish(g.linear("fc", x, dimension, true));
}

}  // namespace likeness::test
