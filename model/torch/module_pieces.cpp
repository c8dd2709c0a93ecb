// The network piece by piece: activation checkpointing (recompute.h).
#include <ATen/ATen.h>

#include "model/torch/module_state.h"
#include "model/torch/recompute.h"

namespace likeness::model {

at::Tensor TorchModel::State::run_piece(std::pair<int, int> piece, const at::Tensor& x) {
  std::vector<at::Tensor> values(graph.nodes.size());
  values[plan[piece.first].input] = x;
  for (int s = piece.first; s < piece.second; ++s) {
    values[plan[s].output] = run(plan[s], values);
    for (int dead : plan[s].dies) values[dead].reset();
  }
  return values[plan[piece.second - 1].output];
}

std::vector<at::Tensor> TorchModel::State::parameters_of(std::pair<int, int> piece) const {
  std::vector<at::Tensor> found;
  for (const auto& [name, tensor] : parameters)
    for (int s = piece.first; s < piece.second && tensor.requires_grad(); ++s) {
      const auto belongs = [&](int node) {
        return node >= 0 && (name + ".").starts_with(graph.nodes[node].prefix + ".");
      };
      if (!belongs(plan[s].node) && !belongs(plan[s].prelu)) continue;
      found.push_back(tensor);
      break;
    }
  return found;
}

// While a piece runs, the draws are those of its own step, whenever that was.
struct TorchModel::State::Rerun {
  Rerun(State& state, std::int64_t drawn, bool second) : state(state), now(state.step) {
    state.step = drawn, state.again = second;
  }
  ~Rerun() { state.step = now, state.again = false; }
  State& state;
  std::int64_t now;
};

// The last piece is not computed again: backward begins with it.
at::Tensor TorchModel::State::evaluate_in_pieces(const at::Tensor& images) {
  at::Tensor x = first_value(images);
  const std::vector<std::pair<int, int>> pieces = pieces_of_plan(plan);
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i)
    x = recomputed(x, parameters_of(pieces[i]),
                   [this, piece = pieces[i], drawn = step](const at::Tensor& in, bool second) {
                     const Rerun rerun(*this, drawn, second);
                     return run_piece(piece, in);
                   });
  return run_piece(pieces.back(), x).to(dtype);
}

}  // namespace likeness::model
