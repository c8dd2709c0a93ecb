// What makes a run the same run, and what its provenance says.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/face_source.h"
#include "data/sampler.h"
#include "train/checkpoint.h"
#include "train/recipe.h"
#include "train/run_folder.h"
#include "train/training_set.h"

namespace likeness::train {

// The pictures that step `step` of a run (1: the first) drew, of all ranks and micro-batches together, from the
// sampling of any of its ranks. Those that could not be read are among them, although others took their places.
std::vector<std::int64_t> pictures_of_step(data::SamplerOptions options, std::int64_t pictures, std::int64_t accumulate,
                                           std::int64_t step);

// Same weights after the same steps need the same settings and data: anything else is another run (kUsage, kData).
void check_same_run(const Checkpoint& checkpoint, const Recipe& recipe, const data::FaceSource& source,
                    const std::filesystem::path& where);

Facts facts_of(const std::string& command, const Recipe& recipe, const TrainingSet& set, const std::string& device,
               bool on_cpu, int threads, const std::string& torch_version);

}  // namespace likeness::train
