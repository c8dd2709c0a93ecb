// What must be true of a set before the first step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/face_source.h"
#include "data/loader.h"
#include "train/recipe.h"

namespace likeness::train {

struct TrainingSet {
  std::unique_ptr<data::FaceSource> source;
  std::int64_t excluded = 0;  // pictures left out
};

// The set at `data` without the pictures that the list `exclude` names (data/subset.h); "" for all. kData when nothing
// is left, or the list belongs to another set.
TrainingSet open_training_set(const std::string& data, const std::string& exclude);

// How the recipe has pictures of `source` drawn and decoded on this rank, in the network's geometry.
data::LoaderOptions loader_options(const Recipe& recipe, const data::FaceSource& source, const FaceGeometry& geometry,
                                   int rank, int world);

// Scans every label. kData naming the set, and the record where there is one: no pictures, fewer than two identities, a
// label outside [0, identities()) (arcface_torch trains on with a frozen loss of 69.08), fewer pictures than one batch.
void check_training_set(const data::FaceSource& source, std::int64_t batch);

}  // namespace likeness::train
