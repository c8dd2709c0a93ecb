// What a run owns while it trains, for the sources that implement it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "data/loader.h"
#include "train/further_sets.h"
#include "train/session.h"
#include "train/starting_point.h"
#include "train/terms/make.h"
#include "train/trainer.h"
#include "train/training_set.h"

namespace likeness::train {

// Everything one run owns. On the training thread.
class Session {
 public:
  Session(const TrainRequest& request, const JudgeMaker& judges);
  TrainOutcome run();

 private:
  bool leads() const { return group_->rank() == 0; }  // writes the run folder and judges
  void open_folder(RunStart start);
  // Network, head and trainer as they start. `restored`: a checkpoint is put into them next, so nothing is computed for
  // the start alone.
  void begin(bool restored);
  void resume();
  void restore(const std::filesystem::path& checkpoint);
  bool roll_back(int times, const Diverged& why);
  void train_on(Feed& feed, StepProfile& profile);
  void validate();
  void report(const Outlier& outlier);
  void log_histograms(std::int64_t step);
  void write_best();
  void save();
  model::TrainedModel trained() const { return {model_->graph(), model_->state(), contract_}; }
  std::optional<model::TrainedModel> averaged() const {
    if (!trainer_->ema()) return std::nullopt;
    return model::TrainedModel{model_->graph(), trainer_->ema()->state(), contract_};
  }

  const TrainRequest& request_;
  at::Device device_ = at::kCPU;
  int threads_;
  Recipe recipe_;
  std::string resolved_;
  std::optional<StartingPoint> start_;  // where the recipe has backbone.init
  TrainingSet set_;
  const data::FaceSource* source_ = nullptr;  // set_'s
  FurtherSets further_;
  ModelContract contract_;
  std::unique_ptr<TermMaker> terms_;
  std::unique_ptr<Group> group_;
  std::vector<FeedSet> feeds_;  // the first is of set_
  std::unique_ptr<Saver> saver_;
  std::unique_ptr<model::TorchModel> model_;
  std::unique_ptr<Classifier> head_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Validation> validation_;
  std::unique_ptr<RunFolder> folder_;
  std::filesystem::path out_;
  std::int64_t resumed_from_ = -1;
};

}  // namespace likeness::train
