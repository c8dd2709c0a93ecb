// From a recipe to the losses it asks for beside the classifier's.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/preprocess.h"
#include "data/face_source.h"
#include "train/head/classifier.h"
#include "train/recipe.h"
#include "train/terms/guide.h"
#include "train/terms/old_centres.h"
#include "train/terms/term.h"

namespace likeness::train {

// What a run's terms need from outside: models, and class centres of finished runs. Not thread-safe.
class TermMaker {
 public:
  // Opens what the recipe names and compares it with set and network (`contract`: the network's); writes the models'
  // hashes into the recipe, for its settings(). kUsage naming the recipe's key when something does not fit, and errors
  // as engine::open_engine.
  TermMaker(Recipe& recipe, const data::FaceSource& source, const ModelContract& contract, int threads, bool cuda);

  // Fresh terms for a classifier that is on its device. The first call may run the old network over this rank's part of
  // the set, which outlives the maker, as the maker outlives the terms.
  std::vector<std::unique_ptr<Term>> make(const Recipe& recipe, const Classifier& head);

 private:
  void open_teacher(Recipe& recipe, const ModelContract& contract);
  void open_old(Recipe& recipe, const ModelContract& contract);
  const data::FaceSource& source_;
  int threads_;
  bool cuda_;
  std::unique_ptr<Guide> teacher_;
  std::unique_ptr<engine::Engine> old_;
  std::optional<RunCentres> taught_, old_classifier_;
  std::vector<float> old_centres_;  // of this rank's classes
};

}  // namespace likeness::train
