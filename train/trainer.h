// The training loop: one page from a batch of pictures to a changed network.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "core/preprocess.h"
#include "data/loader.h"
#include "model/torch/module.h"
#include "train/checkpoint.h"
#include "train/head/classifier.h"
#include "train/meters.h"
#include "train/optim/schedule.h"
#include "train/optim/sgd.h"
#include "train/recipe.h"

namespace likeness::train {

// What happens between steps; every member may be empty. Called on the training thread.
struct TrainerHooks {
  std::function<void(std::int64_t pictures)> progress;  // after every step
  std::function<void(const LogRow&)> log;               // every log_every steps, and at the end
  std::function<void()> validate;                       // every validate_every steps, and at the end
  std::function<void()> checkpoint;                     // every checkpoint_every steps, at a signal, and at the end
};

// When the hooks are called, in steps; 0 for only at the end.
struct TrainerPace {
  std::int64_t log_every = 50, validate_every = 0, checkpoint_every = 0;
};

// Owns the optimizer; borrows network and head, which live on `device` already. Not thread-safe.
class Trainer {
 public:
  Trainer(model::TorchModel& model, Classifier& head, const Recipe& recipe, at::Device device);

  // One step. images [B,3,H,W] preprocessed, in the model's dtype; labels [B] i64. Nothing is read back from the
  // device.
  StepMeters step(const at::Tensor& images, const at::Tensor& labels);

  // Trains until progress().step is the schedule's total. Throws Interrupted after a checkpoint when a signal asked to
  // stop; kData when loss or gradient is not finite (no checkpoint is written then).
  void run(data::Loader& loader, const Preprocess& preprocess, Meters& meters, const TrainerPace& pace,
           const TrainerHooks& hooks);

  Progressed& progress() { return progress_; }
  const LogRow& last() const { return row_; }

  // Head and optimizer as checkpoints store them, and back. kData naming `where` when they are another network's.
  void save(model::Weights* head, model::Weights* optimizer) const;
  void load(const model::Weights& head, const model::Weights& optimizer, const std::string& where);

 private:
  void flush(Meters& meters, const TrainerHooks& hooks);
  model::TorchModel& model_;
  Classifier& head_;
  std::vector<at::Tensor> backbone_;
  std::unique_ptr<Sgd> optimizer_;
  Schedule schedule_;
  double base_rate_, clip_;
  at::Device device_;
  Progressed progress_;
  LogRow row_;
};

}  // namespace likeness::train
