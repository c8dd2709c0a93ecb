#include "train/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/signals.h"
#include "core/trace.h"

namespace likeness::train {
namespace {

bool due(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

std::vector<double> as_vector(const std::array<double, 3>& a) { return {a.begin(), a.end()}; }

// The rows of every set.
std::vector<at::Tensor> by_set(const at::Tensor& all, const MicroBatch& batch) {
  if (batch.further.empty()) return {all};
  std::vector<std::int64_t> sizes = {batch.labels.size(0)};
  for (const at::Tensor& labels : batch.further) sizes.push_back(labels.size(0));
  return all.split_with_sizes(sizes);
}

}  // namespace

Trainer::Trainer(model::TorchModel& model, Classifier& head, const Recipe& recipe, at::Device device,
                 std::vector<std::unique_ptr<Term>> terms, const std::vector<FurtherHead>& further)
    : group_(head.group()),
      model_(model),
      heads_({{.classifier = &head, .key = "", .log = ""}}),
      terms_(std::move(terms)),
      collects_(std::any_of(terms_.begin(), terms_.end(), [](const auto& t) { return t->wants_centre_gradient(); })),
      accumulate_(recipe.accumulate),
      schedule_(recipe.schedule),
      allowed_skips_(recipe.guard_skips),
      base_rate_(recipe.rate),
      weight_decay_(recipe.weight_decay),
      clip_(recipe.clip),
      clip_value_(recipe.clip_value),
      device_(device) {
  std::vector<Parameter> parameters = group_parameters(model.parameters(), {.weight_decay = recipe.weight_decay,
                                                                            .decay_everything = recipe.decay_everything,
                                                                            .rates = recipe.rates,
                                                                            .freeze = recipe.freeze});
  for (const auto& term : terms_)
    for (const auto& [name, value] : term->parameters())
      parameters.push_back({.name = name, .value = value, .weight_decay = recipe.weight_decay});
  for (const Parameter& p : parameters) backbone_.push_back(p.value);
  optimizer_ = std::make_unique<Optimizer>(std::move(parameters), recipe.optimizer);
  reducer_ = std::make_unique<Reducer>(backbone_, group_, ReducerOptions{.bf16 = recipe.rank_compression == "bf16"});
  model.set_recompute(recipe.recompute);
  if (recipe.precision == "fp16") {
    model.set_fp16(true);
    scaler_.emplace(LossScalerOptions{.start = recipe.loss_scale});
  }
  if (recipe.ema.on()) ema_ = std::make_unique<Ema>(model, recipe.ema);
  for (const FurtherHead& f : further)
    heads_.push_back({.classifier = f.head,
                      .key = "also/" + std::to_string(heads_.size() - 1) + "/",
                      .log = "loss/" + f.name,
                      .weight = f.weight});
  for (const Head& h : heads_) h.classifier->make_buffers(row_rule(recipe.optimizer, 0, 0, 0).buffers());
}

StepMeters Trainer::step(const MicroBatch& batch) {
  return step(1, [&] { return batch; });
}

StepMeters Trainer::step(std::int64_t count, const std::function<MicroBatch()>& next) {
  const double rate = base_rate_ * progress_.rate_factor * schedule_factor(schedule_, progress_.step);
  const RowRule rule = row_rule(optimizer_->options(), rate, weight_decay_, progress_.step);
  // Reading a number back from a GPU makes it wait; the loss scaler must.
  const bool guarded = device_.is_cpu() || scaler_;
  if (guarded) model_.remember_statistics();
  const bool collects = count > 1 || collects_;  // else the centres move at once
  for (Head& h : heads_) {
    if (!collects) break;
    if (!h.gradient.centres.defined()) h.gradient = h.classifier->zero_gradient();
    h.gradient.zero();
  }
  group_.at_step(progress_.step + 1);
  StepMeters meters{.rate = rate};
  bool finite = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const MicroBatch batch = next();
    if (!finite) continue;  // the order of the pictures does not depend on what became of them
    finite = learn(batch, 1.0 / static_cast<double>(count), collects ? nullptr : &rule, i + 1 == count, &meters);
  }
  if (finite) {
    in_span("all-reduce", [&] { reducer_->finish(); });
    const Span span("clip");
    if (scaler_) scale_gradients(backbone_, 1 / scaler_->scale());
    if (clip_value_ > 0) clip_gradient_value(backbone_, clip_value_);
    meters.gradient_norm = clip_gradient_norm(backbone_, clip_);  // the head is not clipped, as in the reference
  } else {
    meters.gradient_norm = at::full_like(meters.loss, NAN);
  }
  meters.skipped = guarded && !(finite && std::isfinite(meters.gradient_norm.item<double>()));
  if (scaler_ && finite) {
    meters.skipped = !everywhere(!meters.skipped);
    meters.overflowed = scaler_->update(!meters.skipped) && meters.skipped;
  }
  if (meters.skipped) {
    for (const at::Tensor& p : backbone_) at::Tensor(p).mutable_grad().reset();
    model_.restore_statistics();
  } else {
    if (update_) update_(progress_.step + 1);
    const Span span("optimizer");
    for (const Head& h : heads_)
      if (collects) h.classifier->apply(rule, h.gradient);
    optimizer_->step(rate, progress_.step);
    if (ema_) ema_->update(progress_.step);
  }
  ++progress_.step;
  return meters;
}

bool Trainer::learn(const MicroBatch& batch, double share, const RowRule* rule, bool last, StepMeters* meters) {
  const at::Tensor all = in_span("forward", [&] { return model_.forward(batch.images); });
  const std::vector<at::Tensor> parts = by_set(all, batch);
  const at::Tensor& embeddings = parts.front();
  HeadGradient* collected = rule ? nullptr : &heads_.front().gradient;
  std::vector<TermStep> terms;  // before the centres move
  for (const auto& term : terms_) {
    const Span span("terms");
    terms.push_back(term->step({.embeddings = embeddings,
                                .batch = batch,
                                .step = progress_.step,
                                .share = share,
                                .centres = heads_.front().classifier->weight(),
                                .centre_gradient = collected ? &collected->centres : nullptr}));
  }
  const auto mean = [share](const at::Tensor& so_far, const at::Tensor& value) {
    return so_far.defined() ? so_far + value * share : value * share;
  };
  std::size_t place = 0;
  const auto log_also = [&](const std::string& name, const at::Tensor& value) {
    if (place == meters->terms.size()) meters->terms.emplace_back(name, at::Tensor());
    auto& sum = meters->terms[place++].second;
    sum = mean(sum, value);
  };
  std::vector<at::Tensor> of_parts;
  for (std::size_t s = 0; s < heads_.size(); ++s) {
    Head& h = heads_[s];
    const at::Tensor& labels = s == 0 ? batch.labels : batch.further[s - 1];
    const HeadStep head = in_span("head", [&] {
      return h.classifier->step(parts[s], labels, progress_.step, rule, rule ? nullptr : &h.gradient, share * h.weight);
    });
    if (s == 0)
      meters->loss = mean(meters->loss, head.loss);
    else
      log_also(h.log, head.loss);
    if (!head.finite) return false;
    of_parts.push_back(head.embeddings);
  }
  std::vector<at::Tensor> roots = {all}, gradients(1);
  for (const TermStep& term : terms) {
    if (term.gradient.defined()) of_parts.front() = of_parts.front() + term.gradient;
    if (term.loss.defined()) roots.push_back(term.loss), gradients.push_back(at::ones_like(term.loss));
    for (const auto& [name, value] : term.losses) log_also(name, value);
  }
  gradients.front() = of_parts.size() == 1 ? of_parts.front() : at::cat(of_parts);
  if (scaler_)
    for (at::Tensor& g : gradients) g = g * scaler_->scale();
  reducer_->pause(!last);
  in_span("backward", [&] { torch::autograd::backward(roots, gradients); });
  return true;
}

void Trainer::skipped(const at::Tensor& images, const std::vector<std::int64_t>& pictures, const Meters& meters,
                      const TrainerHooks& hooks) {
  const std::string layer = model_.first_non_finite(images);
  const ErrorParts parts{
      .what = "training diverged: loss or gradient is not finite" + (layer.empty() ? "" : ", first in " + layer),
      .where = "step " + std::to_string(progress_.step) + ", pictures " +
               meters.names(pictures.data(), static_cast<std::int64_t>(pictures.size())),
      .expected = "finite numbers",
      .got = "NaN or infinity in " + std::to_string(skips_ + 1) + " steps in a row",
      .hint = "lower optimizer.rate, or add schedule.warmup; checkpoints written so far are sound"};
  if (++skips_ > allowed_skips_) throw Diverged(ErrorKind::kData, parts);
  if (hooks.warn)
    hooks.warn("step skipped: loss or gradient is not finite" + (layer.empty() ? "" : ", first in " + layer) + "; " +
               parts.where);
}

void Trainer::run(Feed& feed, const Preprocess& preprocess, Meters& meters, const TrainerPace& pace,
                  const TrainerHooks& hooks) {
  const std::vector<double> mean = as_vector(preprocess.mean), std = as_vector(preprocess.std);
  const at::ScalarType dtype = heads_.front().classifier->weight().scalar_type();
  const std::int64_t per_epoch = feed.batches_per_epoch();
  row_ = {.step = progress_.step,
          .epoch = static_cast<double>(progress_.step * accumulate_) / static_cast<double>(per_epoch),
          .loss = progress_.loss,
          .seconds = progress_.seconds};
  skips_ = 0;
  update_ = hooks.update;
  bool first = true;
  model_.train(true);
  meters.restart_clock();
  while (progress_.step < schedule_.total) {
    if (hooks.begin) hooks.begin();
    const Span whole("step", progress_.step + 1);
    // ---- training section: no I/O, no number read back ------------------------------------------------------------
    std::vector<std::int64_t> pictures;
    MicroBatch current;
    const StepMeters result = step(accumulate_, [&] {
      const FeedBatch& batch = *in_span("wait for loader", [&] { return &feed.next(); });
      if (std::exchange(first, false) && hooks.shown) hooks.shown(batch);
      const Span span("normalise");
      current = {
          .images = model::normalise_pixels(batch.pixels.to(device_), mean, std, preprocess.order == "bgr", dtype),
          .labels = batch.labels.front(),
          .pixels = batch.pixels.narrow(0, 0, batch.labels.front().size(0)),
          .further = {batch.labels.begin() + 1, batch.labels.end()}};
      pictures.insert(pictures.end(), batch.pictures.begin(), batch.pictures.end());
      progress_.epoch = batch.epoch + (batch.position + 1) / per_epoch;
      progress_.position = (batch.position + 1) % per_epoch;
      return current;
    });
    // ---- end of the training section ------------------------------------------------------------------------------
    const auto seen = static_cast<std::int64_t>(pictures.size());
    if (result.overflowed) {
      // What fp16 costs now and then, and no sign of a run that diverges.
    } else if (result.skipped) {
      skipped(current.images, pictures, meters, hooks);
    } else {
      skips_ = 0;
      meters.add(progress_.step, result, pictures.data(), seen);
    }
    row_.epoch = static_cast<double>(progress_.step * accumulate_) / static_cast<double>(per_epoch);
    if (hooks.progress) hooks.progress(seen);

    const int signal = agreed_stop_signal();
    const bool last = progress_.step == schedule_.total, stop = signal != 0;
    const bool validate = due(progress_.step, pace.validate_every) || last,
               save = due(progress_.step, pace.checkpoint_every) || last || stop;
    if (due(progress_.step, pace.log_every) || validate || save) flush(meters, hooks);
    if (validate && !stop && hooks.validate) in_span("validate", hooks.validate);
    if (save && hooks.checkpoint) in_span("checkpoint", hooks.checkpoint);
    if (validate || save) meters.restart_clock();
    if (stop && !last) throw Interrupted(signal);
  }
}

bool Trainer::everywhere(bool here) {
  if (group_.size() == 1) return here;
  at::Tensor failures = at::full({1}, here ? 0 : 1, at::TensorOptions(device_).dtype(at::kFloat));
  group_.all_reduce_max(failures);
  return failures.item<float>() == 0;
}

// A signal that reached any rank stops all at the same step.
int Trainer::agreed_stop_signal() {
  if (group_.size() == 1) return stop_signal();
  at::Tensor signal = at::full({1}, stop_signal(), at::TensorOptions(device_).dtype(at::kFloat));
  group_.all_reduce_max(signal);
  return static_cast<int>(signal.item<float>());
}

void Trainer::flush(Meters& meters, const TrainerHooks& hooks) {
  const Span span("log");
  if (!meters.flush(&row_)) return;
  progress_.seconds = row_.seconds;
  progress_.loss = row_.loss;
  if (hooks.log) hooks.log(row_);
}

}  // namespace likeness::train
