// One training run from a recipe file to a finished run folder.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "train/profile.h"
#include "train/run_folder.h"
#include "train/saver.h"

namespace likeness::train {

struct TrainRequest {
  std::filesystem::path config;               // the recipe
  std::vector<std::string> assignments = {};  // --set key=value
  std::filesystem::path out = {};             // run folder; empty: runs/<recipe's name>
  RunStart start = RunStart::kNew;
  int threads = 0;  // 0: all cores
  std::string device = "auto";
  std::string command = {};                            // as typed, for provenance.json
  int profile = 0;                                     // how many steps to trace (profile.h); 0: none
  WriteCheckpoint write_checkpoint = save_checkpoint;  // tests make it slow, or fail
};

struct TrainOutcome {
  std::filesystem::path run;
  LogRow last;
  std::optional<double> best = {};
  std::int64_t best_step = 0;
  std::int64_t resumed_from = -1;  // -1: from the beginning
  ProfileSummary profile = {};
};

// Judges a network on one set. The first metric of the recipe's first set chooses the best weights; larger is better.
using Metrics = std::vector<std::pair<std::string, double>>;
using Judge = std::function<Metrics(engine::Engine& network)>;
// Makes the judge for one entry of the recipe's `validate`, before training begins.
using JudgeMaker = std::function<Judge(const std::string& entry)>;

// Every judge is rehearsed on a network of noise first, so that a mistake in a validation set shows before the first
// step and not after the first epoch. Throws Error for every mistake in recipe, data or environment; Interrupted after
// a clean checkpoint.
TrainOutcome run_training(const TrainRequest& request, const JudgeMaker& judges);

}  // namespace likeness::train
