// What a run knows about an entry of `validate` before it trains.
#pragma once

#include <string>
#include <vector>

#include "core/rng.h"
#include "engine/engine.h"

namespace likeness::train {

// Between a set and the model that its pairs' first pictures are embedded by, in an entry of `validate`.
inline constexpr const char* kAgainst = " against ";

// "data/lfw.faces.h5=lfw/pairs.txt" -> "lfw=pairs", "lfw.bin against runs/old" -> "lfw against old": what logs call an
// entry of `validate`.
std::string set_name(const std::string& entry);

// Random embeddings with the right contract: a judge is tried on them before the first step, so that a mistake in a
// validation set shows at once.
class NoiseEngine : public engine::Engine {
 public:
  explicit NoiseEngine(ModelContract contract) : contract_(std::move(contract)) {}
  std::string name() const override { return "noise"; }
  const ModelContract& contract() const override { return contract_; }
  std::vector<float> run(const std::vector<float>& pixels, std::int64_t n) override;

 private:
  ModelContract contract_;
  std::uint64_t calls_ = 0;
};

}  // namespace likeness::train
