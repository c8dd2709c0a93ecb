// The training loop: one page from a batch of pictures to a changed network.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/preprocess.h"
#include "model/torch/module.h"
#include "train/batch.h"
#include "train/checkpoint.h"
#include "train/dist/reducer.h"
#include "train/feed.h"
#include "train/further_sets.h"
#include "train/head/classifier.h"
#include "train/meters.h"
#include "train/optim/ema.h"
#include "train/optim/loss_scaler.h"
#include "train/optim/optimizer.h"
#include "train/optim/schedule.h"
#include "train/recipe.h"
#include "train/terms/term.h"

namespace likeness::train {

// What happens between steps; every member may be empty. Called on the training thread.
struct TrainerHooks {
  std::function<void()> begin;                          // before every step, when all of the one before is done
  std::function<void(std::int64_t pictures)> progress;  // after every step
  std::function<void(const LogRow&)> log;               // every log_every steps, and at the end
  std::function<void(const FeedBatch&)> shown;          // the first batch
  std::function<void(std::int64_t step)> update;        // gradients are there, clipped, and not yet applied
  std::function<void()> validate;                       // every validate_every steps, and at the end
  std::function<void()> checkpoint;                     // every checkpoint_every steps, at a signal, and at the end
  std::function<void(const std::string&)> warn;         // a step was skipped, and why
};

// Too many steps in a row could not be taken: the caller goes back to a checkpoint, or gives up with what it says.
class Diverged : public Error {
 public:
  using Error::Error;
};

// When the hooks are called, in steps; 0 for only at the end.
struct TrainerPace {
  std::int64_t log_every = 50, validate_every = 0, checkpoint_every = 0;
};

// Owns the optimizer; borrows network and head, which live on `device` already. Not thread-safe.
class Trainer {
 public:
  // Gradients are averaged over the head's group. `terms`: losses beside the head's, on the first set's pictures.
  // `further`: classifiers of the further sets.
  Trainer(model::TorchModel& model, Classifier& head, const Recipe& recipe, at::Device device,
          std::vector<std::unique_ptr<Term>> terms = {}, const std::vector<FurtherHead>& further = {});

  const LossScaler* scaler() const { return scaler_ ? &*scaler_ : nullptr; }  // null but for fp16

  // One step on `count` micro-batches, which `next` hands out one after the other: their mean gradient, as one batch of
  // all of them would give (batch norm sees each alone). Nothing is read back from a GPU.
  StepMeters step(std::int64_t count, const std::function<MicroBatch()>& next);
  StepMeters step(const MicroBatch& batch);

  // Trains until progress().step is the schedule's total. Throws Interrupted after a checkpoint when a signal asked to
  // stop. A step whose loss or gradient is not finite is skipped with a warning that names layer and pictures; more
  // than recipe.guard_skips in a row throw Diverged (kData). On a GPU, where nothing is read back between log lines,
  // the first such step throws it.
  void run(Feed& feed, const Preprocess& preprocess, Meters& meters, const TrainerPace& pace,
           const TrainerHooks& hooks);

  Progressed& progress() { return progress_; }
  const LogRow& last() const { return row_; }
  Ema* ema() { return ema_.get(); }  // null where the recipe asks for no average

  // Head and optimizer as checkpoints store them, and back; save() uses memory of an earlier call again. kData naming
  // `where` when they are another network's.
  void save(model::Weights* head, model::Weights* optimizer) const;
  void load(const model::Weights& head, const model::Weights& optimizer, const std::string& where);

 private:
  void flush(Meters& meters, const TrainerHooks& hooks);
  void skipped(const at::Tensor& images, const std::vector<std::int64_t>& pictures, const Meters& meters,
               const TrainerHooks& hooks);
  // Loss and gradients of one of a step's batches; false: the loss is not finite.
  bool learn(const MicroBatch& batch, double share, const RowRule* rule, bool last, StepMeters* meters);
  bool everywhere(bool here);  // true where it is on all ranks
  int agreed_stop_signal();
  Group& group_;
  model::TorchModel& model_;
  // A set's classifier; the first is that of `data`.
  struct Head {
    Classifier* classifier;
    std::string key, log;  // before its tensors' names in checkpoints, and of its loss in the log
    double weight = 1;
    HeadGradient gradient = {};  // where micro-batches and terms collect it
  };
  void save_head(const Head& h, model::Weights* head, model::Weights* optimizer) const;
  void load_head(const Head& h, const model::Weights& head, const model::Weights& optimizer, const std::string& where);
  std::vector<Head> heads_;
  std::vector<std::unique_ptr<Term>> terms_;
  std::vector<at::Tensor> backbone_;  // and the terms' own parameters
  bool collects_;
  std::int64_t accumulate_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Reducer> reducer_;
  std::unique_ptr<Ema> ema_;
  std::optional<LossScaler> scaler_;  // with fp16
  Schedule schedule_;
  std::int64_t allowed_skips_, skips_ = 0;
  double base_rate_, weight_decay_, clip_, clip_value_;
  at::Device device_;
  Progressed progress_;
  LogRow row_;
  std::function<void(std::int64_t)> update_;  // run()'s hook, while it runs
};

}  // namespace likeness::train
