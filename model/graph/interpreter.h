// The oracle: runs a graph in f64, straight from the definitions in graph.h. Goldens, f16 and parity are judged against
// it.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

class Interpreter {
 public:
  // kData when the weights do not fit the graph exactly; `where` names them in that message.
  Interpreter(Graph graph, const Weights& weights, const std::string& where = "weights given to the interpreter");
  // input [B,3,H,W] f64, already preprocessed -> [B,D] f64, evaluation mode. Const and thread-safe. The result does not
  // depend on `threads` (0 = all cores) nor on how pictures are batched. `taps`, if given, receives every node's output
  // [B,…] in node order.
  std::vector<double> run(const std::vector<double>& input, std::int64_t batch, int threads = 1,
                          std::vector<std::vector<double>>* taps = nullptr) const;
  const Graph& graph() const { return graph_; }

 private:
  using Values = std::vector<double>;
  void conv(const Node& node, const std::vector<Values>& params, const Values& x, std::int64_t batch, int threads,
            Values* y) const;
  void linear(const Node& node, const std::vector<Values>& params, const Values& x, std::int64_t batch, int threads,
              Values* y) const;
  Graph graph_;
  std::vector<std::vector<Values>> params_;  // per node, in the op's order: weight, bias, running_mean, running_var
  std::vector<int> last_use_;                // per node: the last node that reads it; its memory is freed after that
};

}  // namespace likeness::model
