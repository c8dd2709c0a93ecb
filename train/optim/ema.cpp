#include "train/optim/ema.h"

#include <torch/torch.h>

#include "model/torch/tensors.h"

namespace likeness::train {

Ema::Ema(model::TorchModel& model, EmaOptions options) : model_(model), options_(options) {
  const at::NoGradGuard no_grad;
  for (const model::TensorSpec& spec : model.graph().tensors) {
    if (spec.integer) continue;
    const at::Tensor& live = model.tensors().at(spec.name);
    pairs_.push_back({.name = spec.name,
                      .live = live,
                      .average = live.detach().clone(),
                      .copied = !spec.parameter && options.copy_statistics});
  }
}

void Ema::update(std::int64_t number) {
  const at::NoGradGuard no_grad;
  const double share = 1 - ema_decay(options_, number);
  // lerp is average + share * (live - average): what does not move stays to the bit, as a frozen layer must.
  for (Pair& p : pairs_) p.copied ? p.average.copy_(p.live) : p.average.lerp_(p.live, share);
}

model::Weights Ema::state() const {
  model::Weights state = model_.state();
  for (const Pair& p : pairs_) state.tensors[p.name] = model::from_tensor(p.average);
  return state;
}

void Ema::load(const model::Weights& weights, const std::string& where) {
  model::check_weights(model_.graph(), weights, where);
  const at::NoGradGuard no_grad;
  for (Pair& p : pairs_)
    p.average.copy_(model::to_tensor(weights.tensors.at(p.name), p.average.scalar_type(), where + ", " + p.name));
}

void Ema::exchange() {
  const at::NoGradGuard no_grad;
  for (Pair& p : pairs_) {
    const at::Tensor live = p.live.detach().clone();
    p.live.copy_(p.average);
    p.average.copy_(live);
  }
}

}  // namespace likeness::train
