#include "train/verb_run.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "core/error.h"
#include "core/progress.h"

namespace likeness::train {
namespace {

// Not through fmt: the trainer's include path holds PyTorch's own copy of it, which is another version.
std::string decimals(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

struct RunArguments {
  std::string config;
  std::vector<std::string> assignments;
  bool resume = false;
  int ranks = 1, profile = 0;
};

std::string typed_command(const RunArguments& a, const CommonOptions& common) {
  std::string text = "likeness train run " + a.config;
  for (const std::string& s : a.assignments) text += " --set " + s;
  if (!common.out.empty()) text += " --out " + common.out;
  if (common.threads > 0) text += " --threads " + std::to_string(common.threads);
  if (a.profile > 0) text += " --profile " + std::to_string(a.profile);
  return text + (a.resume ? " --resume" : "") + (common.force ? " --force" : "");
}

void report(const ProfileSummary& p, CommandResult& result) {
  if (p.file.empty()) {
    result.text += "profile: no step was left to record\n";
    return;
  }
  result.json["profile"] = {{"file", p.file.string()}, {"steps", p.steps}, {"milliseconds", p.milliseconds}};
  for (const auto& [name, time] : p.phases) result.json["profile"]["phases"][name] = time;
  result.text += "profile: " + p.file.string() + ", " + std::to_string(p.steps) + " steps of " +
                 decimals(p.milliseconds, 1) + " ms; open it in chrome://tracing or ui.perfetto.dev\n  " +
                 phases_text(p) + "\n";
}

CommandResult run(const RunArguments& a, const CommonOptions& common, const JudgeMaker& judges) {
  if (a.resume && common.force)
    fail_usage({.what = "--resume keeps a run and --force replaces it",
                .where = "arguments",
                .expected = "one of them",
                .got = "both"});
  TrainRequest request{.config = a.config,
                       .assignments = a.assignments,
                       .out = common.out,
                       .start = a.resume       ? RunStart::kResume
                                : common.force ? RunStart::kReplace
                                               : RunStart::kNew,
                       .threads = common.threads,
                       .device = common.device,
                       .command = typed_command(a, common),
                       .profile = a.profile};
  const TrainOutcome o = run_training(request, judges);

  CommandResult result;
  result.json = {{"run", o.run.string()},      {"step", o.last.step},
                 {"epoch", o.last.epoch},      {"loss", o.last.loss},
                 {"seconds", o.last.seconds},  {"pictures_per_second", o.last.pictures_per_second},
                 {"best", nlohmann::json()},   {"resumed_from", nlohmann::json()},
                 {"profile", nlohmann::json()}};
  if (o.best) result.json["best"] = {{"value", *o.best}, {"step", o.best_step}};
  if (o.resumed_from >= 0) result.json["resumed_from"] = o.resumed_from;
  result.text = "trained " + format_count(static_cast<std::uint64_t>(o.last.step)) + " steps, loss " +
                decimals(o.last.loss, 3) + ", " + format_duration(o.last.seconds) + " of training\n";
  if (o.best) result.text += "best: " + decimals(*o.best, 4) + " after step " + std::to_string(o.best_step) + "\n";
  result.text += "run: " + o.run.string() + "\n";
  if (a.profile > 0) report(o.profile, result);
  return result;
}

}  // namespace

Verb run_verb(JudgeMaker judges) {
  Verb verb;
  verb.name = "run";
  verb.summary = "train a network as a recipe says; `likeness train CONFIG` is short for it";
  verb.example = "likeness train run configs/celeba64_mbf.yaml --out runs/mbf --set epochs=10";
  verb.owns_out = true;
  verb.setup = [judges = std::move(judges)](CLI::App& app) {
    auto a = std::make_shared<RunArguments>();
    app.add_option("config", a->config, "recipe (YAML)")->required()->type_name("CONFIG");
    app.add_option("--set", a->assignments, "change a key of the recipe: --set optimizer.rate=0.1; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    app.add_flag("--resume", a->resume, "go on from the newest checkpoint in --out; starts fresh where there is none");
    app.add_option("--ranks", a->ranks,
                   "start N processes on this machine, which share out batch, identities and cores; several machines: "
                   "torchrun, mpirun or srun")
        ->type_name("N");
    app.add_option("--profile", a->profile,
                   "record what N steps do when, after a few to warm up: trace.json in the run folder")
        ->type_name("N")
        ->check(CLI::Range(1, static_cast<int>(StepProfile::kMost)));
    return [a, judges](const CommonOptions& common) { return run(*a, common, judges); };
  };
  return verb;
}

}  // namespace likeness::train
