// A checkpoint: everything a run needs to go on as if it had never stopped (docs/formats/run.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/graph/weights.h"
#include "model/run_model.h"

namespace likeness::train {

// How far a run has come, and what it is a run of.
struct Progressed {
  std::int64_t step = 0;            // steps done
  std::int64_t epoch = 0;           // of the next batch
  std::int64_t position = 0;        // batches of that epoch already used
  double seconds = 0;               // spent training so far, over all starts
  double loss = 0;                  // of the last log line
  std::optional<double> best = {};  // the best first metric of the validations so far
  std::int64_t best_step = 0;
  double rate_factor = 1;  // on the learning rate; below 1 after going back to a checkpoint (recipe's guard)
};

struct Checkpoint {
  Progressed progress;
  std::map<std::string, std::string> settings;  // Recipe::settings()
  std::string data_digest;
  model::TrainedModel model;                        // backbone, with its contract
  std::optional<model::TrainedModel> average = {};  // with the moving average of its weights, where the run keeps one
  model::Weights head;                              // row ranges of "weight" [C,D]
  model::Weights optimizer;  // "momentum/<parameter>" for the backbone, row ranges of "momentum/head"
};

// Class-sharded tensors are stored as row ranges, "<name>[begin:end]", so that any number of ranks can write and read
// them.
std::string row_range(const std::string& name, std::int64_t begin, std::int64_t end);
// Puts the ranges of `name` together. kData naming `where` when rows are missing, overlap, or have another width than
// columns.
model::WeightTensor join_rows(const model::Weights& weights, const std::string& name, std::int64_t rows,
                              std::int64_t columns, const std::string& where);

// The ranks that save together, without Torch. Each has its own rows of the head; they see one file system.
struct SavingRanks {
  int rank = 0, size = 1;
  std::function<bool(bool)> all = [](bool mine) { return mine; };  // true where all ranks say true
  std::function<std::string(const std::string&)> from_rank_0 = [](const std::string& text) { return text; };
};

// Writes `folder` whole or not at all: model.safetensors, head.safetensors, optimizer.safetensors (with several ranks
// head-R and optimizer-R, one pair from each), ema.safetensors where there is an average, and last state.json with a
// digest of each. Refuses to write weights that
// are not finite (kData): an older checkpoint is then still the newest. All ranks fail when one does (kEnvironment).
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint, const SavingRanks& ranks = {});

// What a rank says when its own part is whole, but another's is not (kEnvironment).
[[noreturn]] void fail_for_another_rank(const std::filesystem::path& folder);

// kData naming the file that is missing or does not have its digest.
Checkpoint load_checkpoint(const std::filesystem::path& folder);

std::filesystem::path checkpoint_folder(const std::filesystem::path& run,
                                        std::int64_t step);  // <run>/checkpoints/step-N
// <run>/checkpoints/step-N with the largest N; nothing if there is none.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);
// All of <run>/checkpoints, oldest first.
std::vector<std::filesystem::path> all_checkpoints(const std::filesystem::path& run);
// Removes all but the `keep` newest, and what a killed save left.
void prune_checkpoints(const std::filesystem::path& run, std::int64_t keep);

}  // namespace likeness::train
