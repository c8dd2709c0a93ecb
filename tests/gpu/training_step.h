// A network, its head and its optimizer on a device, and one step of them: what Trainer::step does for one rank without
// clipping, terms and micro-batches.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/torch/module.h"
#include "train/head/classifier.h"
#include "train/optim/optimizer.h"

namespace likeness::gpu {

struct StepResult {
  at::Tensor loss, embeddings, gradient;  // gradient: of the loss by the embeddings
};

class TrainingStep {
 public:
  // Borrows the head, which is on `device`. bf16 is for f32.
  TrainingStep(std::unique_ptr<model::TorchModel> model, train::Classifier& head, at::Device device, bool bf16);
  // pixels [B,H,W,3] u8 on the CPU, labels [B] i64 on the CPU.
  StepResult run(const at::Tensor& pixels, const at::Tensor& labels, std::int64_t number);
  model::TorchModel& model() { return *model_; }

 private:
  std::unique_ptr<model::TorchModel> model_;
  train::Classifier& head_;
  at::Device device_;
  std::unique_ptr<train::Optimizer> optimizer_;
};

std::unique_ptr<model::TorchModel> make_network(const std::string& name, int side, at::ScalarType type);
// Pictures and labels, the same every time.
std::pair<at::Tensor, at::Tensor> make_batch(std::int64_t count, int side, std::int64_t classes);

}  // namespace likeness::gpu
