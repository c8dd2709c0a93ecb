// An exponential moving average of a network's weights (Polyak and Juditsky 1992; Tarvainen and Valpola, "Mean
// teachers", 2017): what is judged and shipped in place of the weights that training goes on with.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/torch/module.h"
#include "train/optim/ema_options.h"

namespace likeness::train {

// Parameters (frozen ones too) and running statistics are averaged; counters are the network's own. The average has the
// network's type: in f32 it follows differences down to about 6e-8 / (1 - decay) of a weight. Every rank computes the
// same average, since its weights are the same. Borrows the network, which must be on its device already. Not
// thread-safe.
class Ema {
 public:
  // The average starts as the network is.
  Ema(model::TorchModel& model, EmaOptions options);

  // After step `number` = 0, 1, … was taken: average += (1 - ema_decay(number)) (weight - average). One pass over both.
  void update(std::int64_t number);

  // The state dict with the averages in it.
  model::Weights state() const;
  // kData naming `where` and the tensor that is missing, extra or of another shape.
  void load(const model::Weights& weights, const std::string& where);

  // The network's values and the averages change places; again puts them back. Only between steps.
  void exchange();

 private:
  struct Pair {
    std::string name;
    at::Tensor live, average;
    bool copied;  // a running statistic, by copy_statistics
  };
  model::TorchModel& model_;
  EmaOptions options_;
  std::vector<Pair> pairs_;
};

// The network holds the averages while this lives. Null: it stays as it is.
class AverageInUse {
 public:
  explicit AverageInUse(Ema* ema) : ema_(ema) {
    if (ema_) ema_->exchange();
  }
  ~AverageInUse() {
    if (ema_) ema_->exchange();
  }
  AverageInUse(const AverageInUse&) = delete;
  AverageInUse& operator=(const AverageInUse&) = delete;

 private:
  Ema* ema_;
};

}  // namespace likeness::train
