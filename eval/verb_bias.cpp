#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/version.h"
#include "eval/bias/bias.h"
#include "eval/model_argument.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

struct Arguments {
  ModelArgument model;
  TrialsArgument trials;
  std::string at = "fmr=1e-3";
  std::vector<std::string> by;
};

CommandResult run(const Arguments& a, const CommonOptions& common) {
  BiasOptions options;
  options.by = a.by;
  options.at = parse_target(a.at);
  options.threads = common.threads;
  const EmbeddedTrials e = embed_trials(a.model, a.trials, "", common);
  Result r = bias(e.archive, e.trials, options);
  r.model["path"] = a.model.model;
  if (!e.engine.empty()) r.model["engine"] = e.engine;
  if (!a.model.set.empty()) r.data["path"] = a.model.set;
  r.conditions["software"] = "likeness " + version();
  return {0, r.to_json(), r.to_text()};
}

}  // namespace

Verb make_bias_verb() {
  return {"bias", "Error rates of demographic groups at one threshold for everybody",
          "likeness eval bias runs/mbf lfw.faces.h5 --trials all --at fmr=1e-3 --by gender --out lfw-gender.json", [](CLI::App& app) {
            auto a = std::make_shared<Arguments>();
            a->model.add_options(app, false);
            a->trials.add_options(app);
            app.add_option("--at", a->at, "The threshold: fmr=RATE over all impostors of these trials, or threshold=T")->capture_default_str()->type_name("POINT");
            app.add_option("--by", a->by, "Attributes to group by; several make intersections: gender,race")->required()->delimiter(',')->type_name("NAMES");
            return [a](const CommonOptions& common) { return run(*a, common); };
          }};
}

}  // namespace likeness::eval
