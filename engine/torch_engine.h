// The LibTorch engine: the trainer's own module in evaluation mode behind the common interface. Compiled into a
// loadable module only (engine/engines.h says how it is opened), so that no other program depends on LibTorch.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "model/run_model.h"

namespace likeness::engine {

class TorchEngine : public Engine {
 public:
  // `threads`: 0 = all cores; set for the whole process, as LibTorch has one pool. `device`: "cpu", "cuda", "cuda:1",
  // or "auto", which is "cpu". kUsage for any other text; kEnvironment when the device is not there.
  TorchEngine(const model::TrainedModel& model, int threads, const std::string& device);
  ~TorchEngine() override;

  std::string name() const override { return "torch"; }
  const ModelContract& contract() const override;
  // Computes in batches of at most 64 pictures, without recording gradients.
  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace likeness::engine
