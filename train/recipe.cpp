#include "train/recipe.h"

#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "train/head/loss.h"
#include "train/optim/loss_scaler.h"

namespace likeness::train {
namespace {

const std::map<std::string, GeometryChoice> kGeometries = {{"auto", GeometryChoice::kAuto},
                                                           {"pictures", GeometryChoice::kPictures},
                                                           {"arcface", GeometryChoice::kArcface},
                                                           {"unknown", GeometryChoice::kUnknown}};
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

// Shortest text that reads back as the same number. Not through fmt: this file sees PyTorch's copy of it.
template <typename T>
std::string text(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    std::array<char, 40> out;
    return {out.data(), std::to_chars(out.data(), out.data() + out.size(), value).ptr};
  } else {
    return value;
  }
}

double read_loss_key(Config& config, const LossKey& key, double fallback) {
  if (key.choices.empty()) return config.get_double("head." + key.name, fallback, key.low, key.high);
  const std::string chosen =
      config.get_choice("head." + key.name, key.choices[static_cast<std::size_t>(fallback)], key.choices);
  return static_cast<double>(std::find(key.choices.begin(), key.choices.end(), chosen) - key.choices.begin());
}

void read_backbone(Config& config, Recipe& r) {
  std::vector<std::string> names = model::backbone_names();
  names.push_back(kNetworkOfInit);
  r.backbone.name = config.get_choice("backbone.name", "mbf", names);
  r.init = config.get_string("backbone.init", "");
  r.init_preprocess = config.get_string("backbone.preprocess", "");
  const bool named = r.backbone.name != kNetworkOfInit;
  if (!named && r.init.empty()) config.fail("backbone.name", "a network's name, or backbone.init beside init", "init");
  if (r.init.empty() && !r.init_preprocess.empty())
    config.fail("backbone.preprocess", "backbone.init beside it: a new network is fed (pixel - 127.5) / 127.5",
                r.init_preprocess);
  for (const char* key : {"backbone.embedding", "backbone.dropout"})
    if (!named && config.has(key))
      config.fail(key, "nothing with backbone.name init: the file's network has its own", "a value");
  if (!named) return;
  r.backbone.embedding = static_cast<int>(config.get_int("backbone.embedding", 512, 2, 1 << 16));
  r.backbone.dropout = config.get_double("backbone.dropout", 0, 0, 0.9);
}

// "what=1.5" -> {"what", 1.5}; the number is not negative.
std::pair<std::string, double> read_factor(Config& config, const std::string& key, const std::string& entry,
                                           const std::string& expected) {
  const std::size_t cut = entry.find('=');
  char* end = nullptr;
  const double factor = cut == std::string::npos ? -1 : std::strtod(entry.c_str() + cut + 1, &end);
  if (cut == std::string::npos || cut + 1 == entry.size() || *end != '\0' || !(factor >= 0))
    config.fail(key, expected, entry);
  return {entry.substr(0, cut), factor};
}

void read_head(Config& config, Recipe& r) {
  std::vector<std::string> names;
  for (const LossEntry* entry : loss_table()) names.push_back(entry->name);
  r.loss.name = config.get_choice("head.loss", "cosface", names);
  for (const auto* keys : {&common_loss_keys(), &loss_entry(r.loss.name).keys})
    for (const LossKey& key : *keys) r.loss.values[key.name] = read_loss_key(config, key, key.fallback);
  if (filter_conflicts(r.loss))
    config.fail("head.filter", "0 with " + r.loss.name + ", which has a rule of its own for the other classes",
                text(r.loss.at("filter")));
  r.head_std = config.get_double("head.init_std", 0.01, 1e-6, 10);
  r.centres = config.get_choice("head.centres", "random", {"data", "random", "run"});
  if (r.centres == "run" && r.init.empty())
    config.fail("head.centres", "backbone.init beside run: a run folder or a checkpoint", "run");
  r.head_init = config.get_string("head.init", "");
  if (!r.head_init.empty() && r.centres != "random")
    config.fail("head.init", "head.centres random beside it: both say where the centres begin", r.head_init);
  r.sub_centers = config.get_int("head.sub_centers", 1, 1, 64);
  r.sample_rate = config.get_double("head.sample_rate", 1, 0, 1);
  const std::string stages = "UNTIL=RATE by rising shares of the run, as \"0.1=0\", \"0.5=0.3\"";
  for (const std::string& entry : config.get_strings("head.sample_stages", {})) {
    const auto [until, rate] = read_factor(config, "head.sample_stages", entry, stages);
    char* end = nullptr;
    const double share = std::strtod(until.c_str(), &end);
    if (*end != '\0' || !(share > (r.sample_stages.empty() ? 0 : r.sample_stages.back().until)) || share > 1 ||
        rate > 1)
      config.fail("head.sample_stages", stages, entry);
    r.sample_stages.push_back({share, rate});
  }
  r.sparse = config.get_choice("head.update", "dense", {"dense", "sparse"}) == "sparse";
  r.head_keep_bytes = config.get_int("head.keep_megabytes", 1024, 0) << 20;
  r.head_precision = config.get_choice("head.precision", "f32", {"bf16", "f32"});
  r.cap_reported_loss = config.get_choice("head.report", "exact", {"exact", "insightface"}) == "insightface";
  if (r.cap_reported_loss && loss_entry(r.loss.name).reduction == Reduction::kBinary)
    config.fail("head.report", "exact with " + r.loss.name + ": the cap is that of a softmax", "insightface");
}

void read_optimizer(Config& config, Recipe& r) {
  const bool adamw = config.get_choice("optimizer.kind", "sgd", {"adamw", "sgd"}) == "adamw";
  r.rate = config.get_double("optimizer.rate", adamw ? 1e-3 : 0.05, 0, 1e3);
  r.weight_decay = config.get_double("optimizer.weight_decay", adamw ? 0.1 : 5e-4, 0, 1);
  if (adamw) {
    r.optimizer.kind = RowRuleKind::kAdamW;
    r.optimizer.beta1 = config.get_double("optimizer.beta1", 0.9, 0, 1);
    r.optimizer.beta2 = config.get_double("optimizer.beta2", 0.999, 0, 1);
    r.optimizer.epsilon = config.get_double("optimizer.epsilon", 1e-8, 0, 1);
  } else {
    r.optimizer.momentum = config.get_double("optimizer.momentum", 0.9, 0, 1);
    r.optimizer.nesterov = config.get_bool("optimizer.nesterov", false);
  }
  for (const std::string& entry : config.get_strings("optimizer.rates", {})) {
    r.rates.push_back(read_factor(config, "optimizer.rates", entry, "PATTERN=FACTOR, as \"conv_sep.*=0.1\""));
  }
  r.freeze = config.get_strings("optimizer.freeze", {});
  r.decay_everything = config.get_choice("optimizer.decay", "everything", {"everything", "matrices"}) == "everything";
  r.clip = config.get_double("optimizer.clip", 5, 0);
  r.clip_value = config.get_double("optimizer.clip_value", 0, 0);

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
  r.exclude = config.get_string("exclude", "");
  r.also = read_further_sets(config);
  r.input = static_cast<int>(config.get_int("input", 0, 0, 4096));
  r.geometry = choose(config, "geometry", "auto", kGeometries);
  r.seed = static_cast<std::uint64_t>(config.get_int("seed", 1, 0));

  read_backbone(config, r);
  read_head(config, r);

  r.epochs = config.get_double("epochs", 5, 0, 1e6);
  r.steps = config.get_int("steps", -1, -1);
  r.batch = config.get_int("batch", 64, 2, 1 << 20);
  r.accumulate = config.get_int("accumulate", 1, 1, 1 << 16);
  if (r.accumulate > 1 && r.sparse)
    config.fail("accumulate", "1 with head.update sparse: a gradient collected over batches is dense",
                text(r.accumulate));
  r.rank_compression = config.get_choice("ranks.compression", "none", {"bf16", "none"});
  r.rank_timeout = config.get_double("ranks.timeout", 300, 1, 1e6);
  r.flip = config.get_double("flip", 0.5, 0, 1);
  r.per_identity = config.get_int("sampler.pictures_per_identity", 0, 0, 1 << 20);
  if (r.per_identity == 1)
    config.fail("sampler.pictures_per_identity", "0, every picture once an epoch, or 2 and more", "1");
  r.triplet_weight = config.get_double("triplet.weight", 0, 0, 1e6);
  r.triplet_margin = config.get_double("triplet.margin", 0.3, 0, 4);
  if (r.triplet_weight > 0 && r.per_identity == 0)
    config.fail("triplet.weight",
                "0, or sampler.pictures_per_identity 2 or more: a triplet needs two pictures of one identity",
                text(r.triplet_weight));
  r.precision = config.get_choice("precision", "f32", {"bf16", "f32", "fp16"});
  r.batch_norm = config.get_choice("batch_norm", "per_rank", {"frozen", "per_rank", "synchronised"});
  if (r.precision == "fp16") r.loss_scale = config.get_double("loss_scale", LossScalerOptions{}.start, 1, 1 << 24);
  r.recompute = config.get_bool("recompute", false);
  read_optimizer(config, r);
  r.ema = read_ema(config);
  r.distill = read_distill(config);
  if (r.distill.logits > 0 && (r.sub_centers > 1 || r.sparse))
    config.fail("distill.logits", "0 with head.sub_centers above 1 or head.update sparse", text(r.distill.logits));
  r.compatible = read_compatible(config);
  if (r.compatible.old.on() && loss_entry(r.loss.name).reduction == Reduction::kBinary)
    config.fail("compatible_with",
                "nothing with head.loss " + r.loss.name + ": its learnt threshold is that of one set of centres",
                r.compatible.old.model);

  r.guard_skips = config.get_int("guard.skips", 3, 0);
  r.guard_rollbacks = config.get_int("guard.rollbacks", 2, 0);
  r.guard_slower = config.get_double("guard.slower", 0.5, 1e-3, 1);
  r.outliers.z = config.get_double("outliers.z", 6, 0);
  r.outliers.window = config.get_int("outliers.window", 128, 4, 1 << 16);
  r.log_every = config.get_int("log_every", 50, 1);
  r.checkpoint_every = config.get_int("checkpoint_every", 0, 0);
  r.keep = config.get_int("keep", 3, 1);
  r.checkpoint_async = config.get_bool("checkpoint_async", true);
  r.validate = config.get_strings("validate", {});
  r.validate_every = config.get_int("validate_every", 0, 0);
  r.best = config.get_string("best", "");
  if (!r.best.empty() && r.validate.empty()) config.fail("best", "validate beside it: sets to judge by", r.best);
  r.histograms_every = config.get_int("tensorboard.histograms", 0, 0);
  r.first_pictures = config.get_int("tensorboard.pictures", 16, 0, 1024);
  r.workers = static_cast<int>(config.get_int("workers", 1, 1, 1024));
  r.skip_bad = config.get_choice("on_bad", "fail", {"fail", "skip"}) == "skip";
  config.refuse_unknown();
  return r;
}

void complete_recipe(Recipe& r, std::int64_t pictures, int side) {
  const std::int64_t per_epoch = pictures / (r.batch * r.ranks) / r.accumulate;  // steps
  r.backbone.input = side;
  r.schedule.total = r.steps >= 0 ? r.steps : std::llround(r.epochs * static_cast<double>(per_epoch));
  for (double epoch : r.milestones)
    r.schedule.milestones.push_back(std::llround(epoch * static_cast<double>(per_epoch)));
  if (r.checkpoint_every == 0) r.checkpoint_every = per_epoch;
  if (r.validate_every == 0) r.validate_every = r.checkpoint_every;
}

std::int64_t Recipe::pictures_per_step() const {
  std::int64_t pictures = batch;
  for (const FurtherSetOptions& s : also) pictures += s.batch;
  return pictures * accumulate;
}

std::map<std::string, std::string> Recipe::settings() const {
  std::map<std::string, std::string> s;
  const auto put = [&s](const std::string& key, const auto& value) { s[key] = text(value); };
  put("seed", seed), put("batch of all ranks", batch * ranks), put("accumulate", accumulate),
      put("ranks.compression", rank_compression), put("flip", flip), put("sampler.pictures_per_identity", per_identity),
      put("triplet.weight", triplet_weight), put("triplet.margin", triplet_margin), put("precision", precision);
  put("batch_norm", batch_norm);
  put("backbone.name", backbone.name), put("backbone.embedding", backbone.embedding),
      put("backbone.dropout", backbone.dropout);
  put("input", backbone.input);
  if (!init.empty()) put("backbone.init", init), put("backbone.preprocess", init_preprocess);
  if (centres != "random") put("head.centres", centres);
  if (!head_init.empty()) put("head.init", head_init);
  put("head.loss", loss.name), put("head.init_std", head_std);
  for (const auto& [key, value] : loss.values) put("head." + key, value);
  put("head.sub_centers", sub_centers), put("head.sample_rate", sample_rate), put("head.sparse", sparse);
  put("head.keep_bytes", head_keep_bytes), put("head.precision", head_precision);
  put("optimizer.kind", static_cast<int>(optimizer.kind)), put("optimizer.rate", rate);
  put("optimizer.momentum", optimizer.momentum), put("optimizer.nesterov", optimizer.nesterov);
  put("optimizer.beta1", optimizer.beta1), put("optimizer.beta2", optimizer.beta2),
      put("optimizer.epsilon", optimizer.epsilon);
  put("optimizer.weight_decay", weight_decay), put("optimizer.decay", decay_everything), put("optimizer.clip", clip);
  put("optimizer.clip_value", clip_value);
  std::string groups;
  for (const auto& [pattern, factor] : rates) groups += pattern + "=" + text(factor) + " ";
  for (const std::string& pattern : freeze) groups += pattern + "=frozen ";
  put("optimizer.groups", groups);
  put("schedule.kind", static_cast<int>(schedule.kind)), put("steps", schedule.total),
      put("schedule.warmup", schedule.warmup);
  put("schedule.warmup_start", schedule.warmup_start), put("schedule.power", schedule.power),
      put("schedule.final", schedule.final);
  put("schedule.gamma", schedule.gamma), put("schedule.insightface", schedule.insightface);
  std::string steps_text;
  for (std::int64_t m : schedule.milestones) steps_text += text(m) + " ";
  put("schedule.milestones", steps_text);
  // What came later is left out where it is off, so that older checkpoints are resumed as ever.
  std::string stages;
  for (const SampleStage& s : sample_stages) stages += text(s.until) + "=" + text(s.rate) + " ";
  if (!stages.empty()) put("head.sample_stages", stages);
  if (!also.empty()) put("also", text_of(also));
  if (!best.empty()) put("best", best);
  if (precision == "fp16") put("loss_scale", loss_scale);
  if (ema.on())
    put("ema.decay", ema.decay), put("ema.warmup", ema.warmup), put("ema.copy_statistics", ema.copy_statistics);
  if (distill.teacher.on())
    put("distill.teacher", distill.teacher_hash), put("distill.embedding", distill.embedding),
        put("distill.logits", distill.logits), put("distill.temperature", distill.temperature);
  if (compatible.old.on()) put("compatible_with", compatible.old_hash), put("compatible_weight", compatible.weight);
  return s;
}

}  // namespace likeness::train
