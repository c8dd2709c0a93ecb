// likeness-train: from a recipe and a set of labelled faces to a run folder. The one place of train/ that sees the
// evaluation.
#include "core/cli.h"
#include "core/error.h"
#include "core/log.h"
#include "data/face_source.h"
#include "eval/verify.h"
#include "model/torch/allocator.h"
#include "train/dist/launch.h"
#include "train/plan/verb_plan.h"
#include "train/verb_drop.h"
#include "train/verb_run.h"
#include "train/verb_weights.h"

using namespace likeness;

namespace {

// The figures of a validation, the one that chooses the best weights first.
constexpr const char* kMetrics[] = {"accuracy", "tar@fmr=1e-3", "tar@fmr=1e-2", "auc", "eer"};

// `entry` is SET or SET=PAIRS. Without a list the set's stored pairs count, and without those every pair of its
// pictures.
train::Judge make_judge(const std::string& entry) {
  const std::size_t cut = entry.find('=');
  const std::shared_ptr<const data::FaceSource> source = data::open_faces(entry.substr(0, cut));
  const eval::SetIndex index = eval::SetIndex::of(*source);
  const eval::Trials trials = cut != std::string::npos  ? eval::read_trials(entry.substr(cut + 1), index)
                              : source->pairs().empty() ? eval::all_trials(index)
                                                        : eval::stored_trials(*source, index);
  return [source, trials](engine::Engine& network) {
    const std::vector<std::int64_t> rows = trials.all ? std::vector<std::int64_t>() : eval::needed_rows(trials);
    const auto archive = train::embed_over_ranks(network, *source, trials.all ? nullptr : &rows);
    if (!archive) return train::Metrics();  // rank 0 judges
    eval::VerifyOptions options;
    options.convention = trials.all ? eval::Convention::kFixedFmr : eval::Convention::kInsightface;
    options.plots = false;
    const eval::Result result = eval::verify(*archive, trials.all ? trials : eval::remap(trials, rows), options);
    train::Metrics metrics;
    for (const char* name : kMetrics) {
      const auto it = result.metrics.find(name);
      if (it != result.metrics.end() && it->second.value) metrics.emplace_back(name, *it->second.value);
    }
    return metrics;
  };
}

}  // namespace

int main(int argc, char** argv) {
  // `--ranks N` starts N of these, before a thread exists or stdout has been redirected. A plan only talks about them.
  try {
    const std::vector<std::string> arguments(argv, argv + argc);
    const bool plans = argc > 1 && arguments[1] == "plan";
    if (const int ranks = plans ? 1 : train::asked_ranks(arguments); ranks > 1)
      return train::launch_ranks({.ranks = ranks,
                                  .arguments = train::own_arguments(),
                                  .only_rank_0_prints = true,
                                  .report = [](const std::string& line) { log_error(line); }});
  } catch (const Error& e) {
    log_error(e.what());
    return e.exit_code();
  }
  model::keep_memory();
  return run_program(
      {.stage = "train",
       .summary = "trains face-recognition networks",
       .verbs = {train::run_verb(make_judge), train::plan_verb(), train::weights_verb(), train::drop_verb()},
       .default_verb = "run"},
      argc, argv);
}
