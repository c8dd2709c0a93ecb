// The argument of verbs that compare models: whatever it names, scores come out.
#pragma once

#include <string>

#include "core/cli.h"
#include "core/scores.h"
#include "eval/model_argument.h"

namespace likeness::eval {

// What is common to the models that are compared. A score archive needs none of it.
struct ScoreArgument {
  ModelArgument model;  // all but the model itself
  TrialsArgument trials;

  // --set, --pairs, --trials, --flip, --engine, --preprocess, --geometry, --batch, …
  void add_options(CLI::App& app);
};

// *.scores.h5 as it is; of an archive *.emb.h5 or a model with --set, the scores of the trials.
ScoreArchive open_scores(const std::string& path, const ScoreArgument& argument, const CommonOptions& common);

}  // namespace likeness::eval
