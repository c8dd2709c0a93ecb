// The oracle: runs a graph in plain f64 loops. Slow and simple on purpose; goldens, f16 and parity are judged against it.
#pragma once

#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

class Interpreter {
 public:
  Interpreter(Graph graph, const Weights& weights);
  // input [B,3,H,W] f64, already preprocessed -> [B,D] f64, evaluation mode. Const and thread-safe.
  // `taps`, if given, receives every node's output [B,…] in node order.
  std::vector<double> run(const std::vector<double>& input, std::int64_t batch, int threads = 1,
                          std::vector<std::vector<double>>* taps = nullptr) const;
  const Graph& graph() const { return graph_; }

 private:
  Graph graph_;
  std::vector<std::vector<std::vector<double>>> params_;  // per node, in the op's order
};

}  // namespace likeness::model
