// Where a head starts: from a recipe, or with class centres from a file, and what a checkpoint brings back.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "model/graph/weights.h"
#include "train/head/classifier.h"
#include "train/recipe.h"

namespace likeness::train {

// The head that a recipe asks for.
ClassifierOptions head_options(const Recipe& recipe, std::int64_t classes);

// Fills `target`, this rank's rows of the class-sharded tensor `name`, whatever number of ranks wrote `weights`. kData
// naming `where` when rows are missing or have another width.
void load_rows(const model::Weights& weights, const std::string& name, const Classifier& head, at::Tensor target,
               const std::string& where);

// Centres as in `from`: a run folder (its newest checkpoint), a checkpoint, or a .safetensors as `likeness train drop
// --centers` writes it. Nothing else of the run is taken over. kData naming the file when it has another number of
// identities, centres per identity, or dimensions.
void start_head(Classifier& head, const std::filesystem::path& from);

}  // namespace likeness::train
