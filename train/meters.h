// What the log needs from the steps since its last line, kept on the device so that the training section reads nothing
// back.
#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "train/outliers.h"
#include "train/run_folder.h"

namespace likeness::train {

// What one step gives: scalars on the device.
struct StepMeters {
  at::Tensor loss = {};                                        // mean over the batch
  at::Tensor gradient_norm = {};                               // of the backbone, before clipping
  std::vector<std::pair<std::string, at::Tensor>> terms = {};  // losses beside the classifier's, without their weight
  double rate = 0;
  bool overflowed = false;  // skipped because fp16 was too short for a gradient: the loss scale was lowered
  bool skipped = false;     // loss or gradient was not finite: the backbone did not move
};

class Meters {
 public:
  // `picture` names picture i of the set ("record 17") for messages.
  // `ranks` see as many pictures each.
  explicit Meters(std::function<std::string(std::int64_t)> picture, int ranks = 1, const OutlierOptions& outliers = {})
      : picture_(std::move(picture)),
        ranks_(ranks),
        loss_watch_("loss", outliers),
        norm_watch_("gradient_norm", outliers) {
    restart_clock();
  }
  void add(std::int64_t step, const StepMeters& meters, const std::int64_t* index, std::int64_t batch);
  // Means since the last call; reads the device once. kData naming the first step whose loss or gradient is not finite,
  // and its pictures. Nothing to do without steps: returns false.
  bool flush(LogRow* row);
  // What stood out among the steps of the last flush, in order.
  const std::vector<Outlier>& outliers() const { return outliers_; }
  // "record 17, record 3, … (64 pictures)".
  std::string names(const std::int64_t* index, std::int64_t batch) const;
  // Time spent validating and saving is not training.
  void restart_clock() { since_ = std::chrono::steady_clock::now(); }

 private:
  void refuse_non_finite(std::size_t i, double loss, double norm) const;
  std::function<std::string(std::int64_t)> picture_;
  int ranks_;
  std::vector<at::Tensor> losses_, norms_;
  std::vector<std::vector<std::pair<std::string, at::Tensor>>> terms_;  // by step
  std::vector<std::vector<std::int64_t>> pictures_;
  std::vector<std::int64_t> steps_;  // those that were skipped are not among them
  OutlierWatch loss_watch_, norm_watch_;
  std::vector<Outlier> outliers_;
  std::int64_t seen_ = 0;
  double rate_ = 0;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace likeness::train
