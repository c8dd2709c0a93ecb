// likeness-train: from a recipe and a set of labelled faces to a run folder.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "core/cli.h"
#include "core/error.h"
#include "train/session.h"

namespace {

using namespace likeness;

struct RunArguments {
  std::string config;
  std::vector<std::string> assignments;
  bool resume = false;
  int ranks = 1;
};

std::string typed_command(const RunArguments& a, const CommonOptions& common) {
  std::string text = "likeness train run " + a.config;
  for (const std::string& s : a.assignments) text += " --set " + s;
  if (!common.out.empty()) text += " --out " + common.out;
  return text + (a.resume ? " --resume" : "");
}

CommandResult run(const RunArguments& a, const CommonOptions& common) {
  if (a.ranks != 1)
    fail_usage({.what = "several ranks are not supported in this build", .where = "--ranks", .expected = "1", .got = std::to_string(a.ranks),
                .hint = "--threads uses more cores with one rank"});
  train::TrainRequest request{.config = a.config, .assignments = a.assignments, .out = common.out, .start = train::RunStart::kNew,
                              .threads = common.threads, .device = common.device, .command = typed_command(a, common)};
  if (common.force) request.start = train::RunStart::kReplace;
  if (a.resume) request.start = train::RunStart::kResume;
  if (a.resume && common.force)
    fail_usage({.what = "--resume keeps a run and --force replaces it", .where = "arguments", .expected = "one of them", .got = "both", .hint = {}});
  const train::TrainOutcome outcome = train::run_training(request, {});

  CommandResult result;
  result.json = {{"run", outcome.run.string()}, {"step", outcome.last.step}, {"epoch", outcome.last.epoch}, {"loss", outcome.last.loss},
                 {"seconds", outcome.last.seconds}, {"pictures_per_second", outcome.last.pictures_per_second}};
  result.json["best"] = outcome.best ? nlohmann::json({{"value", *outcome.best}, {"step", outcome.best_step}}) : nlohmann::json();
  result.json["resumed_from"] = outcome.resumed_from >= 0 ? nlohmann::json(outcome.resumed_from) : nlohmann::json();
  result.text = "trained " + std::to_string(outcome.last.step) + " steps, loss " + std::to_string(outcome.last.loss) + "\nrun: " + outcome.run.string() + "\n";
  return result;
}

Verb run_verb() {
  Verb verb;
  verb.name = "run";
  verb.summary = "train a network as a recipe says; `likeness train CONFIG` is short for it";
  verb.example = "likeness train run configs/celeba64_mbf.yaml --out runs/mbf --set epochs=10";
  verb.owns_out = true;
  verb.setup = [](CLI::App& app) {
    auto a = std::make_shared<RunArguments>();
    app.add_option("config", a->config, "recipe (YAML)")->required()->type_name("CONFIG");
    app.add_option("--set", a->assignments, "change a key of the recipe, e.g. --set optimizer.rate=0.1 (may be repeated)")->type_name("KEY=VALUE");
    app.add_flag("--resume", a->resume, "go on from the newest checkpoint in --out; starts fresh where there is none");
    app.add_option("--ranks", a->ranks, "processes to train with")->type_name("N");
    return [a](const CommonOptions& common) { return run(*a, common); };
  };
  return verb;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program({.stage = "train", .summary = "trains face-recognition networks", .verbs = {run_verb()}, .default_verb = "run"}, argc, argv);
}
