// Activation checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016): what backward needs of
// a piece of the network is not kept but computed again.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

#include "model/torch/plan.h"

namespace likeness::model {

// `again`: this is the second time, for backward; whatever is updated on the way must not be updated twice.
using Piece = std::function<at::Tensor(const at::Tensor& x, bool again)>;

// piece(x), of which autograd keeps x alone. Gradients reach x and `parameters`, which must be all leaves that the
// piece uses and that want one; bit for bit those of piece(x) itself, as long as the piece gives the same both times.
// The piece must stay callable until backward. First gradients only.
at::Tensor recomputed(const at::Tensor& x, const std::vector<at::Tensor>& parameters, Piece piece);

// The plan in pieces [first, last) of about the square root of its length, cut where one value alone lives on. A plan
// that offers no such place is one piece.
std::vector<std::pair<int, int>> pieces_of_plan(const std::vector<Step>& plan);

}  // namespace likeness::model
