// A trainer's head and optimizer as the framework-free tensors of a checkpoint, and back.
#include <torch/torch.h>

#include "core/error.h"
#include "model/torch/tensors.h"
#include "train/head_start.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

// What the optimizer keeps for every tensor, in its order: SGD the first, AdamW both.
constexpr const char* kBuffers[] = {"momentum/", "second/"};

// Copies `stored` into `target`, whatever the target's device.
void put(const model::WeightTensor& stored, at::Tensor target, const std::string& where) {
  if (at::IntArrayRef(stored.shape) != target.sizes())
    fail_data({.what = "tensor of another network",
               .where = where,
               .expected = c10::str(target.sizes()),
               .got = c10::str(at::IntArrayRef(stored.shape)),
               .hint = "--resume needs the configuration that the run began with"});
  at::NoGradGuard no_grad;
  target.copy_(model::to_tensor(stored, target.scalar_type(), where));
}

const model::WeightTensor& find(const model::Weights& weights, const std::string& name, const std::string& where) {
  const auto it = weights.tensors.find(name);
  if (it == weights.tensors.end())
    fail_data({.what = "tensor is missing",
               .where = where,
               .expected = name,
               .got = "nothing of that name",
               .hint = "--resume needs the configuration that the run began with"});
  return it->second;
}

// Everything that a term has learnt.
NamedTensors kept(Term& term) {
  NamedTensors all = term.parameters();
  const NamedTensors state = term.state();
  all.insert(all.end(), state.begin(), state.end());
  return all;
}

}  // namespace

void Trainer::save(model::Weights* head, model::Weights* optimizer) const {
  const std::int64_t first = head_.range().begin * head_.options().sub_centers, last = first + head_.weight().size(0);
  head->metadata = optimizer->metadata = {{"classes", std::to_string(head_.options().classes)},
                                          {"sub_centers", std::to_string(head_.options().sub_centers)},
                                          {"dimension", std::to_string(head_.weight().size(1))}};
  model::copy_tensor(head_.weight(), &head->tensors[row_range("weight", first, last)]);
  for (const auto& [name, value] : head_.loss().state()) model::copy_tensor(value, &head->tensors["loss/" + name]);
  if (head_.bias().defined()) model::copy_tensor(head_.bias(), &head->tensors["bias"]);
  for (std::size_t i = 0; group_.rank() == 0 && i < terms_.size(); ++i)
    for (const auto& [name, value] : kept(*terms_[i])) model::copy_tensor(value, &optimizer->tensors["term/" + name]);
  if (scaler_ && group_.rank() == 0) {
    const double state[] = {scaler_->scale(), static_cast<double>(scaler_->state().good)};
    optimizer->tensors["loss_scale"] = model::WeightTensor::f64({2}, state);
  }
  for (std::size_t k = 0; k < head_.buffers().size(); ++k) {
    for (std::size_t i = 0; group_.rank() == 0 && i < optimizer_->parameters().size(); ++i)
      model::copy_tensor(optimizer_->buffers()[k][i],
                         &optimizer->tensors[kBuffers[k] + optimizer_->parameters()[i].name]);
    model::copy_tensor(head_.buffers()[k],
                       &optimizer->tensors[row_range(std::string(kBuffers[k]) + "head", first, last)]);
    if (head_.bias().defined())
      model::copy_tensor(head_.bias_buffers()[k], &optimizer->tensors[std::string(kBuffers[k]) + "head_bias"]);
  }
}

void Trainer::load(const model::Weights& head, const model::Weights& optimizer, const std::string& where) {
  const std::string head_file = where + "/head.safetensors";
  load_rows(head, "weight", head_, head_.weight(), head_file);
  for (auto& [name, value] : head_.loss().state()) put(find(head, "loss/" + name, head_file), value, head_file);
  if (head_.bias().defined()) put(find(head, "bias", head_file), head_.bias(), head_file);
  const std::string file = where + "/optimizer.safetensors";
  if (scaler_) {
    const std::vector<double> state = find(optimizer, "loss_scale", file).as_double();
    scaler_->restore({state.at(0), static_cast<std::int64_t>(state.at(1))});
  }
  for (const auto& term : terms_)
    for (const auto& [name, value] : kept(*term)) put(find(optimizer, "term/" + name, file), value, file + ", " + name);
  for (std::size_t k = 0; k < head_.buffers().size(); ++k) {
    for (std::size_t i = 0; i < optimizer_->parameters().size(); ++i) {
      const std::string& name = optimizer_->parameters()[i].name;
      put(find(optimizer, kBuffers[k] + name, file), optimizer_->buffers()[k][i], file + ", " + name);
    }
    load_rows(optimizer, std::string(kBuffers[k]) + "head", head_, head_.buffers()[k], file);
    if (head_.bias().defined())
      put(find(optimizer, std::string(kBuffers[k]) + "head_bias", file), head_.bias_buffers()[k], file);
  }
}

}  // namespace likeness::train
