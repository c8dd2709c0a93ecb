#include "train/trainer.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/signals.h"

namespace likeness::train {
namespace {

bool due(std::int64_t step, std::int64_t every) { return every > 0 && step % every == 0; }

std::vector<double> as_vector(const std::array<double, 3>& a) { return {a.begin(), a.end()}; }

}  // namespace

Trainer::Trainer(model::TorchModel& model, Classifier& head, const Recipe& recipe, at::Device device)
    : model_(model),
      head_(head),
      schedule_(recipe.schedule),
      base_rate_(recipe.rate),
      clip_(recipe.clip),
      device_(device) {
  std::vector<Parameter> parameters;
  for (const auto& [name, tensor] : model.parameters()) {
    const bool decays = recipe.decay_everything || tensor.dim() > 1;
    parameters.push_back({.name = name, .value = tensor, .weight_decay = decays ? recipe.weight_decay : 0, .rate = 1});
    backbone_.push_back(tensor);
  }
  parameters.push_back({.name = "head", .value = head.weight(), .weight_decay = recipe.weight_decay, .rate = 1});
  optimizer_ = std::make_unique<Sgd>(std::move(parameters),
                                     SgdOptions{.momentum = recipe.momentum, .nesterov = recipe.nesterov});
}

StepMeters Trainer::step(const at::Tensor& images, const at::Tensor& labels) {
  const double rate = base_rate_ * schedule_factor(schedule_, progress_.step);
  const at::Tensor embeddings = model_.forward(images);
  const at::Tensor loss = head_.loss(embeddings, labels);
  loss.backward();
  const at::Tensor norm = clip_gradient_norm(backbone_, clip_);  // the head is not clipped, as in the reference
  optimizer_->step(rate);
  ++progress_.step;
  return {.loss = loss.detach(), .gradient_norm = norm, .rate = rate};
}

void Trainer::run(data::Loader& loader, const Preprocess& preprocess, Meters& meters, const TrainerPace& pace,
                  const TrainerHooks& hooks) {
  const std::vector<double> mean = as_vector(preprocess.mean), std = as_vector(preprocess.std);
  const at::ScalarType dtype = head_.weight().scalar_type();
  const std::int64_t height = model_.graph().input_height, width = model_.graph().input_width;
  const std::int64_t per_epoch = loader.batches_per_epoch();
  row_ = {.step = progress_.step,
          .epoch = static_cast<double>(progress_.step) / static_cast<double>(per_epoch),
          .loss = progress_.loss,
          .seconds = progress_.seconds};
  model_.train(true);
  meters.restart_clock();
  while (progress_.step < schedule_.total) {
    // ---- training section: no I/O, no number read back ------------------------------------------------------------
    const data::Batch& batch = loader.next();
    const at::Tensor pixels = at::from_blob(batch.pixels, {batch.size, height, width, 3}, at::kByte).to(device_);
    const at::Tensor labels = at::from_blob(batch.labels, {batch.size}, at::kLong).to(device_);
    const at::Tensor images = model::normalise_pixels(pixels, mean, std, preprocess.order == "bgr", dtype);
    const StepMeters result = step(images, labels);
    meters.add(progress_.step, result, batch.index, batch.size);
    // ---- end of the training section ------------------------------------------------------------------------------
    progress_.epoch = batch.epoch + (batch.position + 1) / per_epoch;
    progress_.position = (batch.position + 1) % per_epoch;
    row_.epoch = static_cast<double>(progress_.step) / static_cast<double>(per_epoch);
    if (hooks.progress) hooks.progress(batch.size);

    const bool last = progress_.step == schedule_.total, stop = stop_signal() != 0;
    const bool validate = due(progress_.step, pace.validate_every) || last,
               save = due(progress_.step, pace.checkpoint_every) || last || stop;
    if (due(progress_.step, pace.log_every) || validate || save) flush(meters, hooks);
    if (validate && !stop && hooks.validate) hooks.validate();
    if (save && hooks.checkpoint) hooks.checkpoint();
    if (validate || save) meters.restart_clock();
    if (stop && !last) throw Interrupted(stop_signal());
  }
}

void Trainer::flush(Meters& meters, const TrainerHooks& hooks) {
  if (!meters.flush(&row_)) return;
  progress_.seconds = row_.seconds;
  progress_.loss = row_.loss;
  if (hooks.log) hooks.log(row_);
}

}  // namespace likeness::train
