// What a run keeps and goes back to: checkpoints, validation's figures and the best weights.
#include <torch/torch.h>

#include <cstdio>

#include "core/log.h"
#include "core/progress.h"
#include "train/run_identity.h"
#include "train/session_state.h"
#include "train/tensor_views.h"

namespace likeness::train {

namespace fs = std::filesystem;

void Session::resume() {
  const auto folder = newest_checkpoint(out_);
  if (!folder) return;
  restore(*folder);
  // A run that was killed between its last save and DONE saves nothing more, and a save is what cleans up.
  if (leads()) prune_checkpoints(out_, recipe_.keep);
  resumed_from_ = trainer_->progress().step;
  log_info("resuming " + out_.string() + " after step " + format_count(static_cast<std::uint64_t>(resumed_from_)));
}

void Session::restore(const fs::path& checkpoint) {
  const Checkpoint c = load_checkpoint(checkpoint);
  check_same_run(c, recipe_, *source_, checkpoint);
  model_->load(c.model.weights, checkpoint.string());
  trainer_->load(c.head, c.optimizer, checkpoint.string());
  if (trainer_->ema())
    trainer_->ema()->load(c.average ? c.average->weights : model::Weights{}, (checkpoint / "ema.safetensors").string());
  trainer_->progress() = c.progress;
}

// Back to the newest checkpoint, the next time to the one before it, and at last to the start, at a lower rate. What
// lies after it belongs to a path that is given up. False when the recipe allows no more of it.
bool Session::roll_back(int times, const Diverged& why) {
  saver_->wait();
  if (times > recipe_.guard_rollbacks) return false;
  const std::vector<fs::path> saved = all_checkpoints(out_);
  const double factor = trainer_->progress().rate_factor * recipe_.guard_slower;
  const auto back = static_cast<std::size_t>(times);
  if (back <= saved.size())
    restore(saved[saved.size() - back]);
  else
    begin(false);
  trainer_->progress().rate_factor = factor;
  group_->barrier();  // all have read what goes
  for (std::size_t i = saved.size() - std::min(back - 1, saved.size()); leads() && i < saved.size(); ++i)
    fs::remove_all(saved[i]);
  open_folder(RunStart::kResume);
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.3g", factor);
  log_warn(why.parts().what + ", " + why.parts().where + "; going back to step " +
           std::to_string(trainer_->progress().step) + " with the learning rate times " + rate);
  return true;
}

void Session::validate() {
  if (validation_->empty()) return;
  Progressed& progress = trainer_->progress();
  const Verdicts verdicts = [this] {
    const AverageInUse average(trainer_->ema());
    return validation_->judge(*model_, *group_);
  }();
  if (verdicts.stopped != 0) {
    // There is a next step, after which the trainer heeds the signal, too, and saves; or there is none: a run without
    // its last figures is not done, and goes on from the checkpoint before.
    if (progress.step == recipe_.schedule.total) throw Interrupted(verdicts.stopped);
    return;
  }
  if (!leads()) return group_->barrier();
  for (const auto& [set, metrics] : verdicts.sets) {
    folder_->log_validation(progress.step, set, {metrics.begin(), metrics.end()});
    for (const auto& [name, value] : metrics) log_info(set + "  " + name + " " + std::to_string(value));
  }
  const std::optional<double> chosen = chosen_figure(verdicts, recipe_.best);
  if (chosen && is_better(recipe_.best, *chosen, progress.best)) {
    progress.best = chosen;
    progress.best_step = progress.step;
    write_best();
  }
  group_->barrier();
}

void Session::write_best() {
  write_folder_atomically(folder_->best(), IfExists::kReplace, [this](const fs::path& temporary) {
    model::save_model(temporary / "model.safetensors", trained(), IfExists::kRefuse);
    if (const auto average = averaged()) model::save_model(temporary / "ema.safetensors", *average, IfExists::kRefuse);
    write_atomically(temporary / "step", IfExists::kRefuse, std::to_string(trainer_->progress().step) + "\n");
  });
}

void Session::save() {
  Checkpoint& c = saver_->buffer();
  c.progress = trainer_->progress();
  c.settings = recipe_.settings();
  c.data_digest = source_->digest();
  c.model.graph = model_->graph(), c.model.contract = contract_;
  if (leads()) model_->copy_state(&c.model.weights), c.average = averaged();  // the only rank that writes them
  trainer_->save(&c.head, &c.optimizer);
  saver_->start(checkpoint_folder(out_, c.progress.step));
  if (!recipe_.checkpoint_async) saver_->wait(), c = {};
}

void Session::log_histograms(std::int64_t step) {
  if (step % recipe_.histograms_every != 0) return;
  for (const auto& [name, value] : model_->parameters()) {
    folder_->log_histogram(step, "weights/" + name, histogram_of(value));
    if (value.grad().defined()) folder_->log_histogram(step, "gradients/" + name, histogram_of(value.grad()));
  }
}

void Session::report(const Outlier& outlier) {
  if (!leads()) return;
  std::vector<std::string> names;
  for (std::int64_t i :
       pictures_of_step(feeds_.front().loading.sampler, source_->size(), recipe_.accumulate, outlier.step))
    names.push_back(source_->key(i));
  folder_->log_outlier(outlier, names);
  log_info(describe(outlier, names));
}

}  // namespace likeness::train
