#include "train/recipe.h"

#include <fmt/format.h>

namespace likeness::train {
namespace {

const std::map<std::string, GeometryChoice> kGeometries = {{"auto", GeometryChoice::kAuto},
                                                           {"pictures", GeometryChoice::kPictures},
                                                           {"arcface", GeometryChoice::kArcface},
                                                           {"unknown", GeometryChoice::kUnknown}};
const std::map<std::string, PastPi> kPastPi = {
    {"continue", PastPi::kContinue}, {"linear", PastPi::kLinear}, {"mirror", PastPi::kMirror}};
const std::map<std::string, ScheduleKind> kSchedules = {{"constant", ScheduleKind::kConstant},
                                                        {"polynomial", ScheduleKind::kPolynomial},
                                                        {"step", ScheduleKind::kStep},
                                                        {"cosine", ScheduleKind::kCosine}};

template <typename T>
T choose(Config& config, const std::string& key, const std::string& fallback, const std::map<std::string, T>& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table) names.push_back(name);
  return table.at(config.get_choice(key, fallback, names));
}

void read_head(Config& config, Recipe& r) {
  r.loss = config.get_choice("head.loss", "cosface", {"arcface", "combined", "cosface"});
  r.margin.scale = config.get_double("head.scale", r.loss == "cosface" ? 32 : 64, 1e-3, 1e4);
  if (r.loss == "combined") {
    const std::vector<double> m = config.get_doubles("head.margins", {1, 0.3, 0.2});
    if (m.size() != 3 || m[0] <= 0)
      config.fail("head.margins", "three numbers m1 > 0, m2, m3", fmt::format("{} numbers", m.size()));
    r.margin.m1 = m[0], r.margin.m2 = m[1], r.margin.m3 = m[2];
  } else {
    const double margin = config.get_double("head.margin", r.loss == "cosface" ? 0.2 : 0.5, 0, 1.5);
    (r.loss == "cosface" ? r.margin.m3 : r.margin.m2) = margin;
  }
  const bool exact = config.get_choice("head.gradient", "exact", {"exact", "straight_through"}) == "exact";
  r.margin.gradient = exact ? MarginGradient::kExact : MarginGradient::kStraightThrough;
  r.margin.past_pi = choose(config, "head.past_pi", r.margin.m1 == 1 ? "linear" : "mirror", kPastPi);
  if (r.margin.past_pi == PastPi::kLinear && r.margin.m1 != 1)
    config.fail("head.past_pi", "mirror or continue where m1 is not 1", "linear");
  r.head_std = config.get_double("head.init_std", 0.01, 1e-6, 10);
}

void read_optimizer(Config& config, Recipe& r) {
  r.rate = config.get_double("optimizer.rate", 0.05, 0, 1e3);
  r.momentum = config.get_double("optimizer.momentum", 0.9, 0, 1);
  r.nesterov = config.get_bool("optimizer.nesterov", false);
  r.weight_decay = config.get_double("optimizer.weight_decay", 5e-4, 0, 1);
  r.decay_everything = config.get_choice("optimizer.decay", "everything", {"everything", "matrices"}) == "everything";
  r.clip = config.get_double("optimizer.clip", 5, 0);

  r.schedule.kind = choose(config, "schedule.kind", "polynomial", kSchedules);
  r.schedule.power = config.get_double("schedule.power", 2, 0, 100);
  r.schedule.warmup = config.get_int("schedule.warmup", 0, 0);
  r.schedule.warmup_start = config.get_double("schedule.warmup_start", 0.001, 0, 1);
  r.schedule.final = config.get_double("schedule.final", 0, 0, 1);
  r.milestones = config.get_doubles("schedule.milestones", {});
  r.schedule.gamma = config.get_double("schedule.gamma", 0.1, 0, 1);
  r.schedule.insightface = config.get_bool("schedule.insightface", false);
  if (r.schedule.insightface && r.schedule.kind != ScheduleKind::kPolynomial)
    config.fail("schedule.insightface", "false, or schedule.kind polynomial", "true");
  if (r.schedule.kind == ScheduleKind::kStep && r.milestones.empty())
    config.fail("schedule.kind", "schedule.milestones beside step", "step without milestones");
}

}  // namespace

Recipe read_recipe(Config& config) {
  Recipe r;
  r.data = config.get_string("data", "");
  if (r.data.empty()) config.fail("data", "the path of a training set", "nothing");
  r.input = static_cast<int>(config.get_int("input", 0, 0, 4096));
  r.geometry = choose(config, "geometry", "auto", kGeometries);
  r.seed = static_cast<std::uint64_t>(config.get_int("seed", 1, 0));

  r.backbone.name = config.get_choice("backbone.name", "mbf", model::backbone_names());
  r.backbone.embedding = static_cast<int>(config.get_int("backbone.embedding", 512, 2, 1 << 16));
  r.backbone.dropout = config.get_double("backbone.dropout", 0, 0, 0.9);
  r.init = config.get_string("backbone.init", "");
  read_head(config, r);

  r.epochs = config.get_double("epochs", 5, 0, 1e6);
  r.steps = config.get_int("steps", -1, -1);
  r.batch = config.get_int("batch", 64, 2, 1 << 20);
  r.flip = config.get_double("flip", 0.5, 0, 1);
  r.precision = config.get_choice("precision", "f32", {"bf16", "f32"});
  read_optimizer(config, r);

  r.log_every = config.get_int("log_every", 50, 1);
  r.checkpoint_every = config.get_int("checkpoint_every", 0, 0);
  r.keep = config.get_int("keep", 3, 1);
  r.validate = config.get_strings("validate", {});
  r.validate_every = config.get_int("validate_every", 0, 0);
  r.workers = static_cast<int>(config.get_int("workers", 1, 1, 1024));
  r.skip_bad = config.get_choice("on_bad", "fail", {"fail", "skip"}) == "skip";
  config.refuse_unknown();
  return r;
}

std::map<std::string, std::string> Recipe::settings() const {
  std::map<std::string, std::string> s;
  const auto put = [&s](const std::string& key, const auto& value) { s[key] = fmt::format("{}", value); };
  put("seed", seed), put("batch", batch), put("flip", flip), put("precision", precision);
  put("backbone.name", backbone.name), put("backbone.embedding", backbone.embedding),
      put("backbone.dropout", backbone.dropout);
  put("input", backbone.input);
  put("head.loss", loss), put("head.scale", margin.scale), put("head.init_std", head_std);
  put("head.margins", fmt::format("{}, {}, {}", margin.m1, margin.m2, margin.m3));
  put("head.gradient", static_cast<int>(margin.gradient)), put("head.past_pi", static_cast<int>(margin.past_pi));
  put("optimizer.rate", rate), put("optimizer.momentum", momentum), put("optimizer.nesterov", nesterov);
  put("optimizer.weight_decay", weight_decay), put("optimizer.decay", decay_everything), put("optimizer.clip", clip);
  put("schedule.kind", static_cast<int>(schedule.kind)), put("steps", schedule.total),
      put("schedule.warmup", schedule.warmup);
  put("schedule.warmup_start", schedule.warmup_start), put("schedule.power", schedule.power),
      put("schedule.final", schedule.final);
  put("schedule.gamma", schedule.gamma), put("schedule.insightface", schedule.insightface);
  std::string steps_text;
  for (std::int64_t m : schedule.milestones) steps_text += fmt::format("{} ", m);
  put("schedule.milestones", steps_text);
  return s;
}

}  // namespace likeness::train
