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

// Names of a head's tensors begin with its key.
void Trainer::save_head(const Head& h, model::Weights* head, model::Weights* optimizer) const {
  Classifier& c = *h.classifier;
  const std::int64_t first = c.range().begin * c.options().sub_centers, last = first + c.weight().size(0);
  model::copy_tensor(c.weight(), &head->tensors[row_range(h.key + "weight", first, last)]);
  for (const auto& [name, value] : c.loss().state()) model::copy_tensor(value, &head->tensors[h.key + "loss/" + name]);
  if (c.bias().defined()) model::copy_tensor(c.bias(), &head->tensors[h.key + "bias"]);
  for (std::size_t k = 0; k < c.buffers().size(); ++k) {
    const std::string prefix = kBuffers[k] + h.key;
    model::copy_tensor(c.buffers()[k], &optimizer->tensors[row_range(prefix + "head", first, last)]);
    if (c.bias().defined()) model::copy_tensor(c.bias_buffers()[k], &optimizer->tensors[prefix + "head_bias"]);
  }
}

void Trainer::load_head(const Head& h, const model::Weights& head, const model::Weights& optimizer,
                        const std::string& where) {
  Classifier& c = *h.classifier;
  const std::string file = where + "/head.safetensors", buffers = where + "/optimizer.safetensors";
  load_rows(head, h.key + "weight", c, c.weight(), file);
  for (auto& [name, value] : c.loss().state()) put(find(head, h.key + "loss/" + name, file), value, file);
  if (c.bias().defined()) put(find(head, h.key + "bias", file), c.bias(), file);
  for (std::size_t k = 0; k < c.buffers().size(); ++k) {
    const std::string prefix = kBuffers[k] + h.key;
    load_rows(optimizer, prefix + "head", c, c.buffers()[k], buffers);
    if (c.bias().defined()) put(find(optimizer, prefix + "head_bias", buffers), c.bias_buffers()[k], buffers);
  }
}

void Trainer::save(model::Weights* head, model::Weights* optimizer) const {
  const Classifier& first = *heads_.front().classifier;
  head->metadata = optimizer->metadata = {{"classes", std::to_string(first.options().classes)},
                                          {"sub_centers", std::to_string(first.options().sub_centers)},
                                          {"dimension", std::to_string(first.weight().size(1))}};
  for (const Head& h : heads_) save_head(h, head, optimizer);
  if (group_.rank() != 0) return;
  for (const auto& term : terms_)
    for (const auto& [name, value] : kept(*term)) model::copy_tensor(value, &optimizer->tensors["term/" + name]);
  if (scaler_) {
    const double state[] = {scaler_->scale(), static_cast<double>(scaler_->state().good)};
    optimizer->tensors["loss_scale"] = model::WeightTensor::f64({2}, state);
  }
  for (std::size_t k = 0; k < first.buffers().size(); ++k)
    for (std::size_t i = 0; i < optimizer_->parameters().size(); ++i)
      model::copy_tensor(optimizer_->buffers()[k][i],
                         &optimizer->tensors[kBuffers[k] + optimizer_->parameters()[i].name]);
}

void Trainer::load(const model::Weights& head, const model::Weights& optimizer, const std::string& where) {
  for (const Head& h : heads_) load_head(h, head, optimizer, where);
  const std::string file = where + "/optimizer.safetensors";
  if (scaler_) {
    const std::vector<double> state = find(optimizer, "loss_scale", file).as_double();
    scaler_->restore({state.at(0), static_cast<std::int64_t>(state.at(1))});
  }
  for (const auto& term : terms_)
    for (const auto& [name, value] : kept(*term)) put(find(optimizer, "term/" + name, file), value, file + ", " + name);
  for (std::size_t k = 0; k < heads_.front().classifier->buffers().size(); ++k)
    for (std::size_t i = 0; i < optimizer_->parameters().size(); ++i) {
      const std::string& name = optimizer_->parameters()[i].name;
      put(find(optimizer, kBuffers[k] + name, file), optimizer_->buffers()[k][i], file + ", " + name);
    }
}

}  // namespace likeness::train
