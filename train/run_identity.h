// What makes a run the same run, and what its provenance says.
#pragma once

#include <filesystem>
#include <string>

#include "data/face_source.h"
#include "train/checkpoint.h"
#include "train/recipe.h"
#include "train/run_folder.h"
#include "train/training_set.h"

namespace likeness::train {

// Fills in what the set decides: input, steps, milestones, and the paces that follow epochs. r.ranks is known.
void complete_recipe(Recipe& r, std::int64_t pictures, const FaceGeometry& geometry);

// Same weights after the same steps need the same settings and data: anything else is another run (kUsage, kData).
void check_same_run(const Checkpoint& checkpoint, const Recipe& recipe, const data::FaceSource& source,
                    const std::filesystem::path& where);

Facts facts_of(const std::string& command, const Recipe& recipe, const TrainingSet& set, const std::string& device,
               bool on_cpu, int threads, const std::string& torch_version);

}  // namespace likeness::train
