// One training run from a recipe file to a finished run folder.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/profile.h"
#include "train/run_folder.h"
#include "train/saver.h"
#include "train/validation.h"

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

// Throws Error for every mistake in recipe, data or environment; Interrupted after
// a clean checkpoint.
TrainOutcome run_training(const TrainRequest& request, const JudgeMaker& judges);

}  // namespace likeness::train
