// What a run knows about an entry of `validate` before it trains.
#pragma once

#include <string>
#include <vector>

#include "core/rng.h"
#include "engine/engine.h"

namespace likeness::train {

// An entry of `validate`: SET, SET=PAIRS, either with " by ATTRIBUTE,…" (groups' error rates at one threshold) and
// perhaps " at POINT", or with " against MODEL" (which the pairs' first pictures are embedded by).
struct ValidationEntry {
  std::string set, pairs;  // pairs "": those stored with the set, else all
  std::vector<std::string> by;
  std::string at = "fmr=1e-3";
  std::string against;
};
// kUsage naming the entry: `at` without `by`, `by` and `against` together, a word with nothing behind it.
ValidationEntry parse_validation_entry(const std::string& entry);

// "data/lfw.faces.h5" -> "lfw": what logs call a set.
std::string set_name(const std::string& path);
// "data/lfw.faces.h5=lfw/pairs.txt" -> "lfw=pairs", "lfw.bin against runs/old" -> "lfw against old", "lfw.bin by
// gender"
// -> "lfw by gender": what logs call an entry of `validate`.
std::string entry_name(const std::string& entry);

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
