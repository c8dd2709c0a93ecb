// A trainer's head and optimizer as the framework-free tensors of a checkpoint, and back.
#include <torch/torch.h>

#include "core/error.h"
#include "model/torch/tensors.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

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

}  // namespace

void Trainer::save(model::Weights* head, model::Weights* optimizer) const {
  const std::int64_t classes = head_.weight().size(0);
  const std::map<std::string, std::string> shape = {{"classes", std::to_string(classes)},
                                                    {"dimension", std::to_string(head_.weight().size(1))}};
  head->metadata = optimizer->metadata = shape;
  head->tensors[row_range("weight", 0, classes)] = model::from_tensor(head_.weight());
  for (std::size_t i = 0; i < optimizer_->parameters().size(); ++i) {
    const std::string& name = optimizer_->parameters()[i].name;
    const std::string key = name == "head" ? row_range("momentum/head", 0, classes) : "momentum/" + name;
    optimizer->tensors[key] = model::from_tensor(optimizer_->buffers()[i]);
  }
}

void Trainer::load(const model::Weights& head, const model::Weights& optimizer, const std::string& where) {
  const std::int64_t classes = head_.weight().size(0), dimension = head_.weight().size(1);
  put(join_rows(head, "weight", classes, dimension, where + "/head.safetensors"), head_.weight(),
      where + "/head.safetensors");
  const std::string file = where + "/optimizer.safetensors";
  for (std::size_t i = 0; i < optimizer_->parameters().size(); ++i) {
    const std::string& name = optimizer_->parameters()[i].name;
    at::Tensor& buffer = optimizer_->buffers()[i];
    if (name == "head")
      put(join_rows(optimizer, "momentum/head", classes, dimension, file), buffer, file);
    else
      put(find(optimizer, "momentum/" + name, file), buffer, file + ", " + name);
  }
}

}  // namespace likeness::train
