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
};

CommandResult run(const Arguments& a, const CommonOptions& common) {
  VerifyOptions options;
  options.convention = parse_convention(a.convention);
  options.threads = common.threads;
  if (!a.at.empty()) {
    options.at.clear();
    for (const std::string& text : a.at) options.at.push_back(parse_target(text));
  }
  if (a.scores.empty() != a.key.empty())
    fail_usage({"a score archive hides its subjects with a key", "arguments", "--scores FILE and --key FILE", a.key.empty() ? "no --key" : "no --scores",
                "head -c 32 /dev/urandom > subjects.key"});
  if (options.convention == Convention::kInsightface && !a.trials.trials.empty())
    fail_usage({"all pairs of a set have no folds", "--convention insightface", "--pairs FILE", "--trials all", "--convention fixed-fmr reads --trials all"});
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
          "likeness eval verify runs/mbf lfw.faces.h5 --pairs lfw/pairs.txt --convention insightface --out lfw.json", [](CLI::App& app) {
            auto a = std::make_shared<Arguments>();
            a->model.add_options(app, false);
            a->trials.add_options(app);
            a->templates.add_options(app, true);
            app.add_option("--convention", a->convention, "insightface (10 folds, implies --flip sum) or fixed-fmr")->capture_default_str();
            app.add_option("--at", a->at, "Operating points: fmr=1e-3, threshold=0.35 (may be repeated)")->type_name("POINT");
            app.add_option("--scores", a->scores, "Also write the scores, without embeddings, to *.scores.h5")->type_name("FILE");
            app.add_option("--key", a->key, "File whose bytes hide the subjects' names in --scores")->type_name("FILE");
            return [a](const CommonOptions& common) { return run(*a, common); };
          }};
}

}  // namespace likeness::eval
