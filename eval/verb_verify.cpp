#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/version.h"
#include "eval/model_argument.h"
#include "eval/templates_argument.h"
#include "eval/verbs.h"
#include "eval/verify.h"

namespace likeness::eval {
namespace {

struct Arguments {
  ModelArgument model;
  TrialsArgument trials;
  TemplatesArgument templates;
  std::string convention = "fixed-fmr";
  std::vector<std::string> at;
  std::string scores, key;
  std::int64_t bootstrap = -1;  // as many as are quick
  std::uint64_t seed = 1;
};

// Intervals over people are the honest ones: taken unless that would be slow. Two million comparisons a thousand times
// over are some ten seconds of one core.
constexpr std::int64_t kQuickReplicates = 1000, kQuickComparisons = 2'000'000;

std::int64_t replicates(const Arguments& a, const EmbeddedTrials& e) {
  if (a.bootstrap >= 0) return a.bootstrap;
  const auto n = static_cast<std::int64_t>(e.archive.size());
  const std::int64_t comparisons = e.trials.all ? n * (n - 1) / 2 : static_cast<std::int64_t>(e.trials.pairs.size());
  return comparisons <= kQuickComparisons ? kQuickReplicates : 0;
}

CommandResult run(const Arguments& a, const CommonOptions& common) {
  VerifyOptions options;
  options.convention = parse_convention(a.convention);
  options.threads = common.threads;
  if (!a.at.empty()) {
    options.at.clear();
    for (const std::string& text : a.at) options.at.push_back(parse_target(text));
  }
  if (a.scores.empty() != a.key.empty())
    fail_usage({"a score archive hides its subjects with a key", "arguments", "--scores FILE and --key FILE",
                a.key.empty() ? "no --key" : "no --scores", "head -c 32 /dev/urandom > subjects.key"});
  if (options.convention == Convention::kInsightface && !a.trials.trials.empty())
    fail_usage({"all pairs of a set have no folds", "--convention insightface", "--pairs FILE", "--trials all",
                "--convention fixed-fmr reads --trials all"});
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  std::string key;
  if (!a.scores.empty()) {
    key = read_text(a.key);
    hash_subject("", key);  // refuses an empty key before any work is done
    check_output(a.scores, if_exists);
  }

  const std::string flip = options.convention == Convention::kInsightface ? "sum" : "";
  PoolOptions pooling;
  const EmbeddedTrials e = a.templates.any() ? embed_templates(a.model, a.templates, a.trials, flip, common, &pooling) : embed_trials(a.model, a.trials, flip, common);
  options.bootstrap = replicates(a, e);
  options.seed = a.seed;
  Result r = verify(e.archive, e.trials, options);
  if (a.templates.any()) {
    r.data["templates"] = e.archive.size();
    r.data["pictures"] = e.pictures;
    r.conditions["templates"] = pooling.to_json();
  }
  r.model["path"] = a.model.model;
  if (!e.engine.empty()) r.model["engine"] = e.engine;
  if (!a.model.set.empty()) r.data["path"] = a.model.set;
  r.conditions["software"] = "likeness " + version();
  if (!a.scores.empty()) score_archive(e.archive, e.trials, key, common.threads).save(a.scores, if_exists);
  return {0, r.to_json(), r.to_text()};
}

}  // namespace

Verb make_verify_verb() {
  return {"verify", "Compare pairs of pictures: accuracy, TAR at FMR, with counts and intervals",
          "likeness eval verify runs/mbf lfw.faces.h5 --pairs lfw/pairs.txt --convention insightface --out lfw.json",
          [](CLI::App& app) {
            auto a = std::make_shared<Arguments>();
            a->model.add_options(app, false);
            a->trials.add_options(app);
            a->templates.add_options(app, true);
            app.add_option("--convention", a->convention, "insightface (10 folds, implies --flip sum) or fixed-fmr")->capture_default_str();
            app.add_option("--at", a->at, "Operating points: fmr=1e-3, threshold=0.35 (may be repeated)")->type_name("POINT");
            app.add_option("--scores", a->scores, "Also write the scores, without embeddings, to *.scores.h5")->type_name("FILE");
            app.add_option("--key", a->key, "File whose bytes hide the subjects' names in --scores")->type_name("FILE");
            app.add_option(
                   "--bootstrap", a->bootstrap,
                   "Replicates of the subject bootstrap; 0: Wilson over pairs. Unless said, 1000 up to 2M comparisons")
                ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}))
                ->type_name("N");
            app.add_option("--seed", a->seed, "Of the bootstrap")->capture_default_str()->type_name("N");
            return [a](const CommonOptions& common) { return run(*a, common); };
          }};
}

}  // namespace likeness::eval
