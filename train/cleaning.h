// From a run with several centres per identity to the pictures it takes for mislabelled (train/head/sub_centers.h).
#pragma once

#include <filesystem>
#include <string>

#include "core/file.h"
#include "train/head/sub_centers.h"

namespace likeness::train {

struct CleaningRequest {
  std::filesystem::path run;           // a run folder (its newest checkpoint) or one of its checkpoints
  std::filesystem::path data = {};     // the set it was trained on, where it has moved; empty: as its recipe says
  double degrees = 75;                 // insightface's: of pictures that far from the dominant centre few are right
  std::filesystem::path list;          // CSV to write
  std::filesystem::path centers = {};  // .safetensors to write, the dominant centres; empty: none
  IfExists if_exists = IfExists::kRefuse;
  bool skip_bad = false;  // a picture that cannot be read is left out of the count instead of an error
  int threads = 0;
  std::string device = "auto";
};

struct CleaningOutcome {
  NoiseReport report = {};
  std::string data = {};        // the set's path
  std::string checkpoint = {};  // that was judged by
  std::int64_t unreadable = 0;  // pictures
};

// Embeds every picture of the run's set, as it was trained on (without what `exclude` named), in portions. The list has
// the columns record, identity, cosine, degrees, center, dominant: the picture's key, its identity's name, its
// similarity and angle to the dominant centre, and which of the K centres are its nearest and the dominant one.
// kUsage: the run has one centre per identity, an output exists. kData: other pictures than the run was trained on.
CleaningOutcome clean(const CleaningRequest& request);

}  // namespace likeness::train
