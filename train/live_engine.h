// The network in training as an engine, so that validation goes through the same code as `likeness eval`.
#pragma once

#include "engine/engine.h"
#include "model/torch/module.h"

namespace likeness::train {

class Group;

// Borrows the network: evaluation mode while the object lives, the mode it had before afterwards. No gradients are
// recorded.
class LiveEngine : public engine::Engine {
 public:
  LiveEngine(model::TorchModel& model, ModelContract contract, Group* group = nullptr);
  ~LiveEngine() override;
  std::string name() const override { return "torch"; }
  const ModelContract& contract() const override { return contract_; }
  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override;
  Group* group() const { return group_; }  // the ranks that hold the same network; null: none

 private:
  model::TorchModel& model_;
  ModelContract contract_;
  Group* group_;
  bool was_training_;
};

}  // namespace likeness::train
