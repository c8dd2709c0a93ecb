#include "train/plan/verb_plan.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "core/config.h"
#include "core/progress.h"
#include "train/memory.h"
#include "train/plan/plan.h"

namespace likeness::train {
namespace {

std::string count(std::int64_t n) { return format_count(static_cast<std::uint64_t>(n)); }

nlohmann::json as_json(const std::vector<Part>& parts) {
  nlohmann::json out = nlohmann::json::array();
  for (const Part& p : parts) out.push_back({{"name", p.name}, {"bytes", p.bytes}});
  return out;
}

std::string line(const std::string& name, const std::string& value) {
  char text[160];
  std::snprintf(text, sizeof text, "%-46s %12s\n", name.c_str(), value.c_str());
  return text;
}

std::string listed(const std::string& title, const std::vector<Part>& parts) {
  std::string text = line(title, bytes_text(total(parts)));
  for (const Part& p : parts)
    if (p.bytes > 0) text += line("  " + p.name, bytes_text(p.bytes));
  return text;
}

std::string heading(const Plan& plan) {
  const Recipe& r = plan.recipe;
  const std::string side = std::to_string(r.backbone.input);
  return r.backbone.name + ", " + side + "x" + side + ", " + count(plan.job.identities) + " identities, " +
         count(plan.job.pictures) + " pictures; " + std::to_string(r.ranks) +
         (r.ranks == 1 ? " rank of " : " ranks, each of ") + count(r.batch) + " pictures: " + count(r.schedule.total) +
         " steps\n";
}

std::string measured_text(const Measured& m, double pictures_per_second, double seconds_left) {
  char speed[160];
  std::snprintf(speed, sizeof speed,
                "measured on %s, %d threads, %lld steps: %.1f pictures/s a rank, %.0f %% of the time in the head\n",
                m.device.c_str(), m.threads, static_cast<long long>(m.steps), pictures_per_second, 100 * m.head_share);
  return speed + (m.memory > 0 ? line("memory measured", bytes_text(m.memory)) : "") +
         line("time to finish", format_duration(seconds_left)) +
         "  (on such machines; without communication, reading of pictures, validation and saving)\n";
}

CommandResult show(const Plan& plan) {
  CommandResult result;
  result.text = heading(plan) + listed("memory of a rank", plan.memory);
  if (!plan.sent.empty()) result.text += listed("sent by a rank in a step", plan.sent);
  result.json = {{"steps", plan.recipe.schedule.total}, {"identities", plan.job.identities},
                 {"pictures", plan.job.pictures},       {"ranks", plan.recipe.ranks},
                 {"memory", as_json(plan.memory)},      {"memory_total", total(plan.memory)},
                 {"sent_per_step", as_json(plan.sent)}, {"advice", plan.advice},
                 {"measured", nlohmann::json()}};
  if (plan.measured) {
    const Measured& m = *plan.measured;
    const double rate = static_cast<double>(plan.recipe.batch * plan.recipe.accumulate) / m.seconds_per_step;
    const double left = m.seconds_per_step * static_cast<double>(plan.recipe.schedule.total);
    result.text += measured_text(m, rate, left);
    result.json["measured"] = {{"steps", m.steps},
                               {"seconds_per_step", m.seconds_per_step},
                               {"pictures_per_second", rate},
                               {"head_share", m.head_share},
                               {"memory", m.memory},
                               {"device", m.device},
                               {"threads", m.threads},
                               {"seconds_to_finish", left}};
  }
  for (const std::string& sentence : plan.advice) result.text += "- " + sentence + "\n";
  return result;
}

}  // namespace

Verb plan_verb() {
  Verb verb;
  verb.name = "plan";
  verb.summary = "memory, communication and time of a run, before it is started";
  verb.example =
      "likeness train plan configs/reference/ms1mv3_r50.yaml --identities 93431 --pictures 5179510 --ranks 8 --memory "
      "80G --seconds 0";
  verb.setup = [](CLI::App& app) {
    auto a = std::make_shared<PlanRequest>();
    auto memory = std::make_shared<std::string>();
    app.add_option("config", a->config, "recipe (YAML)")->required()->type_name("CONFIG");
    app.add_option("--set", a->assignments, "change a key of the recipe: --set batch=128; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    app.add_option("--ranks", a->ranks, "ranks that will train together; none is started")
        ->type_name("N")
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--memory", *memory, "memory that a rank may use, as 80G")->type_name("SIZE");
    app.add_option("--identities", a->identities, "identities of the set, where the set is not here")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--pictures", a->pictures, "pictures of the set, where the set is not here")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--seconds", a->seconds, "how long to time steps; 0: not at all")
        ->type_name("S")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    return [a, memory](const CommonOptions& common) {
      if (!memory->empty()) a->memory = parse_size(*memory, "--memory");
      a->threads = common.threads;
      a->device = common.device;
      return show(plan_run(*a));
    };
  };
  return verb;
}

}  // namespace likeness::train
