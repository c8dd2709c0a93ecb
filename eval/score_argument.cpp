#include "eval/score_argument.h"

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "eval/verify.h"

namespace likeness::eval {

void ScoreArgument::add_options(CLI::App& app) {
  model.add_run_options(app);
  app.add_option("--set", model.set, "Set of faces, for models; archives need none")->type_name("SET");
  trials.add_options(app);
}

ScoreArchive open_scores(const std::string& path, const ScoreArgument& argument, const CommonOptions& common) {
  if (path.ends_with(".scores.h5")) return ScoreArchive::load(path);
  ModelArgument model = argument.model;
  model.model = path;
  const EmbeddedTrials e = embed_trials(model, argument.trials, "", common);
  // The key only has to tell people apart: the scores are not stored.
  return score_archive(e.archive, e.trials, "in memory", common.threads);
}

}  // namespace likeness::eval
