// The further sets of a run: opened, scanned, and each with its classifier.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/preprocess.h"
#include "model/torch/module.h"
#include "train/feed.h"
#include "train/head/classifier.h"
#include "train/recipe.h"
#include "train/run_folder.h"
#include "train/training_set.h"

namespace likeness::train {

// A further set's classifier, as the trainer steps it.
struct FurtherHead {
  std::string name;  // of its loss in the log: "loss/webface"
  Classifier* head = nullptr;
  double weight = 1;  // of its loss
};

// In the recipe's order. Not thread-safe.
class FurtherSets {
 public:
  FurtherSets() = default;
  // Opens and scans every set; writes their digests into the recipe, for its settings(). kData as open_training_set,
  // check_training_set, and CropReader for pictures that cannot be brought to `geometry`; kUsage for two sets of one
  // name.
  FurtherSets(Recipe& recipe, const FaceGeometry& geometry);

  // Classifiers of their own, equal on any split over ranks, with the centres that the recipe asks for unless they come
  // from a checkpoint (`restored`).
  void make_heads(const Recipe& recipe, Group& group, model::TorchModel& model, const ModelContract& contract,
                  at::Device device, bool restored);
  std::vector<FurtherHead> heads() const;
  // For this rank.
  std::vector<FeedSet> feeds(const Recipe& recipe, const FaceGeometry& geometry, const Group& group) const;
  void add_facts(Facts* facts) const;

 private:
  struct Set {
    FurtherSetOptions options;
    std::string name;
    TrainingSet set;
    std::unique_ptr<Classifier> head;
  };
  std::vector<Set> sets_;
};

}  // namespace likeness::train
