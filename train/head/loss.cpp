#include "train/head/loss.h"

#include <torch/torch.h>

#include "core/error.h"
#include "train/head/losses/losses.h"

namespace likeness::train {

const std::vector<const LossEntry*>& loss_table() {
  static const std::vector<const LossEntry*> table = {
      &kArcface,        &kCosface,        &kCombined,       &kSphereface, &kAdaface,     &kMagface,
      &kCurricularface, &kElasticArcface, &kElasticCosface, &kUniface,    &kSphereface2,
  };
  return table;
}

const std::vector<LossKey>& common_loss_keys() {
  static const std::vector<LossKey> keys = {
      {"scale", 64, 1e-3, 1e4, "logits are scale * cosine: larger sharpens the softmax"},
      {"gradient",
       0,
       0,
       1,
       "exact: the formula's derivative; straight_through: the margin is ignored on the way back",
       {"exact", "straight_through"}},
      {"filter", 0, 0, 1, "cosine above which another class's logit is set to 0 (label noise); 0: off"},
  };
  return keys;
}

const LossEntry& loss_entry(const std::string& name) {
  std::string known;
  for (const LossEntry* entry : loss_table()) {
    if (entry->name == name) return *entry;
    known += (known.empty() ? "" : ", ") + entry->name;
  }
  fail_usage({.what = "no loss of this name", .where = "head.loss", .expected = known, .got = name});
}

bool filter_conflicts(const LossOptions& options) {
  return options.at("filter") > 0 && loss_entry(options.name).make(options)->others().kind != OthersKind::kPlain;
}

double LossOptions::at(const std::string& key) const {
  if (const auto it = values.find(key); it != values.end()) return it->second;
  for (const auto* keys : {&common_loss_keys(), &loss_entry(name).keys})
    for (const LossKey& k : *keys)
      if (k.name == key) return k.fallback;
  LIKENESS_ASSERT(false);
  return 0;
}

Slopes apply_with_slopes(Loss& loss, const Samples& samples, bool straight_through) {
  at::AutoGradMode grad(true);
  Samples s = samples;
  s.cosine = samples.cosine.detach().requires_grad_(true);
  s.norm = samples.norm.detach().requires_grad_(true);
  Slopes out{.margined = loss.apply(s)};
  // Gradients by both inputs; zero where the function does not use one, or is constant.
  const auto slopes_of = [&](const at::Tensor& f) {
    std::vector<at::Tensor> zero = {at::zeros_like(samples.cosine), at::zeros_like(samples.norm)};
    if (!f.defined() || !f.requires_grad()) return zero;
    auto g = torch::autograd::grad({f.sum()}, {s.cosine, s.norm}, {}, true, false, true);
    for (std::size_t i = 0; i < g.size(); ++i)
      if (!g[i].defined()) g[i] = zero[i];
    return g;
  };
  const at::Tensor own = straight_through ? at::ones_like(samples.cosine) : loss.slope(samples, out.margined);
  if (own.defined()) {
    out.by_cosine = own, out.by_norm = at::zeros_like(samples.norm);
  } else {
    const auto g = slopes_of(out.margined.value);
    out.by_cosine = g[0], out.by_norm = g[1];
  }
  const auto extra = slopes_of(out.margined.extra);
  out.extra_by_cosine = extra[0], out.extra_by_norm = extra[1];
  out.margined.value = out.margined.value.detach();
  if (out.margined.extra.defined()) out.margined.extra = out.margined.extra.detach();
  if (out.margined.bar.defined()) out.margined.bar = out.margined.bar.detach();
  return out;
}

at::Tensor sine_of(const at::Tensor& cosine) { return ((1 - cosine) * (1 + cosine)).clamp_min(1e-16).sqrt(); }
at::Tensor angle_of(const at::Tensor& cosine) {
  const at::Tensor inside = cosine.clamp(-1 + 1e-15, 1 - 1e-15).acos();
  return cosine.detach().acos() + (inside - inside.detach());  // the exact value with the finite slope
}

}  // namespace likeness::train
