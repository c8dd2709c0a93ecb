#include "train/terms/options.h"

namespace likeness::train {

engine::EngineOptions GuideOptions::engine_options(int threads, bool cuda) const {
  engine::EngineOptions o;
  o.threads = threads;
  o.device = cuda ? "cuda" : "auto";
  if (!preprocess.empty()) o.preprocess = Preprocess::parse(preprocess);
  if (!geometry.empty()) o.geometry = geometry;
  return o;
}

namespace {

// A model, and how a foreign file of one is to be fed: `prefix`preprocess, `prefix`geometry.
GuideOptions read_guide(Config& config, const std::string& key, const std::string& prefix) {
  GuideOptions o{.model = config.get_string(key, "")};
  if (!o.on()) return o;
  o.preprocess = config.get_string(prefix + "preprocess", "");
  o.geometry = config.get_string(prefix + "geometry", "");
  return o;
}

}  // namespace

// The other keys mean something beside a model only, and are unknown without one.
DistillOptions read_distill(Config& config) {
  DistillOptions o{.teacher = read_guide(config, "distill.teacher", "distill.")};
  if (!o.teacher.on()) return o;
  o.embedding = config.get_double("distill.embedding", o.embedding, 0, 1e6);
  o.logits = config.get_double("distill.logits", o.logits, 0, 1e6);
  o.temperature = config.get_double("distill.temperature", o.temperature, 0.01, 1e3);
  if (o.embedding == 0 && o.logits == 0)
    config.fail("distill.embedding", "distill.embedding or distill.logits above 0 beside a teacher", "0 and 0");
  return o;
}

CompatibleOptions read_compatible(Config& config) {
  CompatibleOptions o{.old = read_guide(config, "compatible_with", "compatible_")};
  if (!o.old.on()) return o;
  o.weight = config.get_double("compatible_weight", o.weight, 1e-6, 1e6);
  return o;
}

}  // namespace likeness::train
