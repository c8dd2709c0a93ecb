// likeness-train: from a recipe and a set of labelled faces to a run folder. The one place of train/ that sees the
// evaluation.
#include "core/cli.h"
#include "core/error.h"
#include "core/log.h"
#include "data/face_source.h"
#include "eval/bias/bias.h"
#include "eval/verify.h"
#include "model/torch/allocator.h"
#include "train/dist/launch.h"
#include "train/plan/verb_plan.h"
#include "train/rehearsal.h"
#include "train/verb_drop.h"
#include "train/verb_run.h"
#include "train/verb_weights.h"

using namespace likeness;

namespace {

// The figures of a validation, the one that chooses the best weights first.
constexpr const char* kMetrics[] = {"accuracy", "tar@fmr=1e-3", "tar@fmr=1e-2", "auc", "eer"};

// Without a list the set's stored pairs count, and without those every pair of its pictures.
struct ValidationSet {
  explicit ValidationSet(const train::ValidationEntry& entry) {
    source = data::open_faces(entry.set);
    const eval::SetIndex index = eval::SetIndex::of(*source);
    trials = !entry.pairs.empty()      ? eval::read_trials(entry.pairs, index)
             : source->pairs().empty() ? eval::all_trials(index)
                                       : eval::stored_trials(*source, index);
    if (trials.all) return;
    rows = eval::needed_rows(trials);
    trials = eval::remap(trials, rows);
  }
  // Nothing on ranks other than 0, which judges (validation.h).
  std::optional<EmbeddingArchive> embed(engine::Engine& network) const {
    return train::embed_over_ranks(network, *source, trials.all ? nullptr : &rows);
  }
  std::shared_ptr<const data::FaceSource> source;
  eval::Trials trials;             // over the archive that embed gives
  std::vector<std::int64_t> rows;  // the set's that a list needs
};

train::Metrics figures(const EmbeddingArchive& archive, const eval::Trials& trials) {
  eval::VerifyOptions options;
  options.convention = trials.all ? eval::Convention::kFixedFmr : eval::Convention::kInsightface;
  options.plots = false;
  const eval::Result result = eval::verify(archive, trials, options);
  train::Metrics metrics;
  for (const char* name : kMetrics) {
    const auto it = result.metrics.find(name);
    if (it != result.metrics.end() && it->second.value) metrics.emplace_back(name, *it->second.value);
  }
  return metrics;
}

// Error rates of groups at one threshold, and the worst of each: rates that the set cannot support are left out.
train::Metrics group_figures(const EmbeddingArchive& archive, const eval::Trials& trials,
                             const eval::BiasOptions& options) {
  const eval::Result result = eval::bias(archive, trials, options);
  train::Metrics metrics;
  for (const char* rate : {"fmr", "fnmr"}) {
    std::optional<double> worst;
    for (const eval::GroupResult& group : result.groups) {
      const auto it = group.metrics.find(rate);
      if (group.reference || it == group.metrics.end() || !it->second.value) continue;
      metrics.emplace_back(rate + ("/" + eval::where_text(group.where)), *it->second.value);
      const bool unknown = group.where.begin()->second == "unknown";  // shown, and in no comparison
      if (!unknown) worst = std::max(worst.value_or(0), *it->second.value);
    }
    if (worst) metrics.emplace_back(std::string("worst_") + rate, *worst);
  }
  return metrics;
}

// Rows of one, then of the other. Attributes are left out: nobody asks for groups here.
EmbeddingArchive joined(EmbeddingArchive a, const EmbeddingArchive& b) {
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(a.embeddings, b.embeddings), append(a.norms, b.norms), append(a.failed, b.failed);
  append(a.keys, b.keys), append(a.subjects, b.subjects);
  a.attributes = {};
  return a;
}

// The first picture of a pair by another model, the second by the network.
train::Judge make_cross_judge(const std::string& entry, const train::ValidationEntry& parsed) {
  auto set = std::make_shared<ValidationSet>(parsed);
  if (set->trials.all)
    fail_usage({"two models are judged on a list of pairs", "validate: " + entry, "SET=PAIRS against MODEL",
                "a set without pairs", ""});
  const std::shared_ptr<engine::Engine> other = engine::open_engine(parsed.against, {});
  auto half = std::make_shared<EmbeddingArchive>();
  for (eval::ListedPair& pair : set->trials.pairs) pair.b += static_cast<std::int64_t>(set->rows.size());
  return [=](engine::Engine& network) {
    if (other->contract().dimension != network.contract().dimension)
      fail_usage({"embeddings of different widths cannot be compared", "validate: " + entry,
                  std::to_string(network.contract().dimension) + " numbers, as the network has",
                  std::to_string(other->contract().dimension), ""});
    if (half->size() == 0) *half = set->embed(*other).value();
    const auto archive = set->embed(network);
    return archive ? figures(joined(*half, *archive), set->trials) : train::Metrics();
  };
}

train::Judge make_judge(const std::string& entry) {
  const train::ValidationEntry parsed = train::parse_validation_entry(entry);
  if (!parsed.against.empty()) return make_cross_judge(entry, parsed);
  eval::BiasOptions groups{.by = parsed.by, .at = eval::parse_target(parsed.at)};
  groups.plots = false;
  return [set = ValidationSet(parsed), groups](engine::Engine& network) {
    const auto archive = set.embed(network);
    if (!archive) return train::Metrics();
    train::Metrics metrics = figures(*archive, set.trials);
    if (groups.by.empty()) return metrics;
    const train::Metrics of_groups = group_figures(*archive, set.trials, groups);
    metrics.insert(metrics.end(), of_groups.begin(), of_groups.end());
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
