// The network piece by piece: activation checkpointing (recompute.h).
#include <ATen/ATen.h>

#include "model/torch/module_state.h"
#include "model/torch/recompute.h"

namespace likeness::model {

void TorchModel::State::cut_into_pieces() {
  pieces.clear();
  for (const auto& steps : pieces_of_plan(plan)) {
    OwnPiece piece{.steps = steps, .parameters = {}};
    for (const auto& [name, tensor] : parameters)
      for (int s = steps.first; s < steps.second; ++s) {
        const bool own =
            graph.nodes[plan[s].node].owns(name) || (plan[s].prelu >= 0 && graph.nodes[plan[s].prelu].owns(name));
        if (!own) continue;
        piece.parameters.push_back(tensor);
        break;
      }
    pieces.push_back(std::move(piece));
  }
}

at::Tensor TorchModel::State::run_piece(std::pair<int, int> steps, const at::Tensor& x) {
  std::vector<at::Tensor> values(graph.nodes.size());
  values[plan[steps.first].input] = x;
  for (int s = steps.first; s < steps.second; ++s) {
    values[plan[s].output] = run(plan[s], values);
    for (int dead : plan[s].dies) values[dead].reset();
  }
  return values[plan[steps.second - 1].output];
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
  for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
    std::vector<at::Tensor> wanted;  // layers may have been frozen since
    for (const at::Tensor& p : pieces[i].parameters)
      if (p.requires_grad()) wanted.push_back(p);
    x = recomputed(x, wanted, [this, steps = pieces[i].steps, drawn = step](const at::Tensor& in, bool second) {
      const Rerun rerun(*this, drawn, second);
      return run_piece(steps, in);
    });
  }
  return run_piece(pieces.back().steps, x).to(dtype);
}

}  // namespace likeness::model
