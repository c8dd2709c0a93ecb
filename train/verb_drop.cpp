#include "train/verb_drop.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "core/error.h"
#include "core/progress.h"
#include "train/cleaning.h"

namespace likeness::train {
namespace {

struct Arguments {
  std::string run, data, list, centers, on_bad = "fail";
  double degrees = CleaningRequest{}.degrees;
};

CommandResult run(const Arguments& a, const CommonOptions& common) {
  const CleaningOutcome o = clean({.run = a.run,
                                   .data = a.data,
                                   .degrees = a.degrees,
                                   .list = a.list,
                                   .centers = a.centers,
                                   .if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse,
                                   .skip_bad = a.on_bad == "skip",
                                   .threads = common.threads,
                                   .device = common.device});
  const NoiseReport& r = o.report;
  const auto count = [](std::int64_t n) { return format_count(static_cast<std::uint64_t>(n)); };
  const auto suspects = static_cast<std::int64_t>(r.suspects.size());
  char share[16];
  std::snprintf(share, sizeof share, "%.1f", 100.0 * static_cast<double>(suspects) / static_cast<double>(r.pictures));
  CommandResult result;
  result.json = {{"list", a.list},
                 {"checkpoint", o.checkpoint},
                 {"data", o.data},
                 {"degrees", a.degrees},
                 {"pictures", r.pictures},
                 {"suspects", suspects},
                 {"identities", r.identities},
                 {"emptied_identities", r.emptied},
                 {"unreadable", o.unreadable},
                 {"centers", a.centers.empty() ? nlohmann::json() : nlohmann::json(a.centers)}};
  result.text = a.list + ": " + count(suspects) + "/" + count(r.pictures) + " pictures (" + share +
                " %) at an angle of " + std::to_string(static_cast<int>(a.degrees)) +
                " degrees or more to their identity's dominant centre\n";
  if (r.emptied > 0) result.text += count(r.emptied) + " identities would be left with no picture\n";
  if (o.unreadable > 0) result.text += count(o.unreadable) + " pictures could not be read and are not judged\n";
  result.text += "next: `exclude: " + a.list + "` and `head.sub_centers: 1` in the recipe\n";
  return result;
}

}  // namespace

Verb drop_verb() {
  Verb verb;
  verb.name = "drop";
  verb.summary = "list the pictures that a run with sub-centres takes for mislabelled, for a recipe's `exclude`";
  verb.example = "likeness train drop runs/sub3 drop.csv --centers centers.safetensors";
  verb.setup = [](CLI::App& app) {
    auto a = std::make_shared<Arguments>();
    app.add_option("run", a->run, "run folder, or one of its checkpoints, trained with head.sub_centers 2 or more")
        ->required()
        ->type_name("RUN");
    app.add_option("list", a->list, "CSV to write: record, identity, cosine, degrees, center, dominant")
        ->required()
        ->type_name("LIST.csv");
    app.add_option("--degrees", a->degrees, "angle to the dominant centre from which a picture is listed")
        ->check(CLI::Range(0.0, 180.0))
        ->capture_default_str();
    app.add_option("--centers", a->centers, "write the dominant centres, a start (`head.init`) with one centre each")
        ->type_name("FILE.safetensors");
    app.add_option("--data", a->data, "the set the run was trained on, where it has moved")->type_name("SET");
    app.add_option("--on-bad", a->on_bad, "a picture that cannot be read: fail, or skip and count it")
        ->check(CLI::IsMember({"fail", "skip"}))
        ->capture_default_str();
    return [a](const CommonOptions& common) { return run(*a, common); };
  };
  return verb;
}

}  // namespace likeness::train
