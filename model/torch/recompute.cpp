#include "model/torch/recompute.h"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <set>

namespace likeness::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// How a piece travels in autograd's node.
struct PieceHolder : torch::CustomClassHolder {
  explicit PieceHolder(Piece p) : piece(std::move(p)) {}
  Piece piece;
};

class Recomputed : public torch::autograd::Function<Recomputed> {
 public:
  // inputs: x, then the parameters.
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs, const Piece& piece) {
    context->saved_data["piece"] = c10::IValue::make_capsule(c10::make_intrusive<PieceHolder>(piece));
    const at::Tensor out = piece(inputs[0], false);
    context->save_for_backward(inputs.vec());
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto holder = context->saved_data["piece"].toCapsule();
    variable_list wanted, result(saved.size() + 1);
    std::vector<std::size_t> places;
    const at::AutoGradMode recording(true);
    at::Tensor x = saved[0].detach();
    if (context->needs_input_grad(0)) {
      wanted.push_back(x.set_requires_grad(true));
      places.push_back(0);
    }
    for (std::size_t i = 1; i < saved.size(); ++i) {
      wanted.push_back(saved[i]);
      places.push_back(i);
    }
    const at::Tensor out = static_cast<PieceHolder*>(holder.get())->piece(x, true);
    const variable_list found = torch::autograd::grad({out}, wanted, {gradients[0]});
    for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
    return result;
  }
};

}  // namespace

at::Tensor recomputed(const at::Tensor& x, const std::vector<at::Tensor>& parameters, Piece piece) {
  variable_list inputs = {x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  return Recomputed::apply(at::TensorList(inputs), piece);
}

std::vector<std::pair<int, int>> pieces_of_plan(const std::vector<Step>& plan) {
  const int steps = static_cast<int>(plan.size()), length = static_cast<int>(std::lround(std::sqrt(steps)));
  std::vector<std::pair<int, int>> pieces;
  std::set<int> alive = {0};
  int first = 0;
  for (int s = 0; s < steps; ++s) {
    alive.insert(plan[s].output);
    for (int dead : plan[s].dies) alive.erase(dead);
    const bool whole = alive.size() == 1 && s + 1 - first >= length;
    if (!whole && s + 1 < steps) continue;
    pieces.emplace_back(first, s + 1);
    first = s + 1;
  }
  return pieces;
}

}  // namespace likeness::model
