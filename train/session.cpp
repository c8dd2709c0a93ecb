#include "train/session.h"

#include <torch/torch.h>

#include "core/config.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/thread_pool.h"
#include "train/centres.h"
#include "train/device.h"
#include "train/head_start.h"
#include "train/identities.h"
#include "train/input_geometry.h"
#include "train/joining.h"
#include "train/memory.h"
#include "train/run_identity.h"
#include "train/session_state.h"
#include "train/tensor_views.h"

namespace likeness::train {

namespace fs = std::filesystem;

Session::Session(const TrainRequest& request, const JudgeMaker& judges) : request_(request) {
  Config config = Config::load(request.config, request.assignments);
  recipe_ = read_recipe(config);
  resolved_ = config.resolved();
  out_ = request.out.empty() ? fs::path("runs") / request.config.stem() : request.out;
  check_run_folder(out_, request.start);
  const RankEnvironment ranks = read_rank_environment();
  device_ = open_device(request.device, ranks.local_rank, ranks.local_size);
  threads_ = request.threads > 0 ? request.threads : std::max(1, resolve_threads(0) / std::max(1, ranks.local_size));
  at::set_num_threads(threads_);

  recipe_.ranks = ranks.group.size;
  set_ = open_training_set(recipe_.data, recipe_.exclude);
  source_ = set_.source.get();
  if (set_.excluded > 0 && ranks.group.rank == 0)
    log_info(recipe_.exclude + ": " + format_count(static_cast<std::uint64_t>(set_.excluded)) + " pictures left out, " +
             format_count(static_cast<std::uint64_t>(source_->size())) + " to train on");
  check_training_set(*source_, recipe_.batch * recipe_.ranks);
  start_ = starting_point(recipe_, &contract_);
  contract_.geometry = input_geometry(recipe_, *source_);
  contract_.dimension = recipe_.backbone.embedding;
  complete_recipe(recipe_, source_->size(), contract_.geometry.width);
  if (start_) check_starting_point(*start_, recipe_, contract_.geometry);
  further_ = FurtherSets(recipe_, contract_.geometry);
  terms_ = std::make_unique<TermMaker>(recipe_, *source_, contract_, threads_, !device_.is_cpu());
  validation_ = std::make_unique<Validation>(recipe_.validate, judges, contract_, recipe_.best);
  // Whatever is wrong with recipe or data has shown on every rank by now, and none waits for another in vain.
  group_ = join_ranks(ranks, recipe_, source_->digest(), device_);
  feeds_ = further_.feeds(recipe_, contract_.geometry, *group_);
  feeds_.insert(feeds_.begin(),
                {.source = source_,
                 .loading = loader_options(recipe_, *source_, contract_.geometry, group_->rank(), group_->size())});
  saver_ = std::make_unique<Saver>(saving_ranks(*group_), pruning(request.write_checkpoint, out_, recipe_.keep));
  begin(request.start == RunStart::kResume && newest_checkpoint(out_));
}

void Session::begin(bool restored) {
  if (start_ && !restored) restate_statistics(&*start_, contract_, *source_, recipe_.skip_bad, threads_);
  const model::Graph graph =
      recipe_.backbone.name == kNetworkOfInit ? start_->graph : model::build_backbone(recipe_.backbone);
  model_ = std::make_unique<model::TorchModel>(
      graph, start_ ? start_->weights : model::initial_weights(graph, recipe_.seed), at::kFloat);
  if (recipe_.precision == "bf16") model_->set_bf16(true);
  model_->freeze_statistics(recipe_.batch_norm == "frozen");
  if (recipe_.batch_norm == "synchronised" && group_->size() > 1)
    model_->share_statistics([this](at::Tensor& sums) { group_->all_reduce_sum(sums); });
  head_ = std::make_unique<Classifier>(head_options(recipe_, source_->identities()), at::kFloat, group_.get());
  if (!restored && !recipe_.head_init.empty()) start_head(*head_, recipe_.head_init);
  model_->to(device_);
  head_->to(device_);
  if (!restored) start_centres(*head_, *model_, contract_, *source_, recipe_);
  further_.make_heads(recipe_, *group_, *model_, contract_, device_, restored);
  trainer_ =
      std::make_unique<Trainer>(*model_, *head_, recipe_, device_, terms_->make(recipe_, *head_), further_.heads());
}

void Session::open_folder(RunStart start) {
  folder_.reset();
  if (!leads()) return;
  Facts facts = facts_of(request_.command, recipe_, set_, device_.str(), device_.is_cpu(), threads_, TORCH_VERSION);
  further_.add_facts(&facts);
  folder_ = std::make_unique<RunFolder>(out_, start, trainer_->progress().step, resolved_, facts);
  write_identities(out_, *source_);
}

void Session::train_on(Feed& feed, StepProfile& profile) {
  Meters meters([this](std::int64_t i) { return picture_name(feeds_, i); }, recipe_.ranks, recipe_.outliers);
  const std::int64_t left = recipe_.schedule.total - trainer_->progress().step;
  Progress progress("train", static_cast<std::uint64_t>(left * recipe_.pictures_per_step() * recipe_.ranks),
                    "pictures");
  TrainerHooks hooks;
  hooks.begin = [&profile] { profile.before_step(); };
  hooks.progress = [this, &progress](std::int64_t pictures) {
    progress.add(static_cast<std::uint64_t>(pictures * recipe_.ranks));
    saver_->between_steps();
  };
  hooks.log = [this, &progress, &meters](const LogRow& row) {
    if (folder_) folder_->log(row);
    for (const Outlier& outlier : meters.outliers()) report(outlier);
    char text[80];
    std::snprintf(text, sizeof text, "step %lld  loss %.3f  rate %.2g  ", static_cast<long long>(row.step), row.loss,
                  row.rate);
    progress.note(text + bytes_text(process_size("VmRSS")));
  };
  if (folder_ && recipe_.first_pictures > 0 && trainer_->progress().step == 0)
    hooks.shown = [this](const FeedBatch& batch) {
      folder_->log_picture(0, "train/first_batch", picture_grid(batch.pixels, recipe_.first_pictures));
    };
  if (folder_ && recipe_.histograms_every > 0) hooks.update = [this](std::int64_t step) { log_histograms(step); };
  hooks.validate = [this] { validate(); };
  hooks.checkpoint = [this] { save(); };
  hooks.warn = [](const std::string& message) { log_warn(message); };
  trainer_->run(feed, contract_.preprocess, meters,
                {.log_every = recipe_.log_every,
                 .validate_every = recipe_.validate_every,
                 .checkpoint_every = recipe_.checkpoint_every},
                hooks);
  progress.finish();
}

TrainOutcome Session::run() {
  if (request_.start == RunStart::kResume) resume();
  const std::int64_t begin = trainer_->progress().step, total = recipe_.schedule.total;
  open_folder(request_.start);
  group_->barrier();  // the folder is there

  const std::string trace = group_->rank() == 0 ? "trace.json" : "trace-" + std::to_string(group_->rank()) + ".json";
  StepProfile profile(request_.profile, total - begin, out_ / trace, group_->rank());
  std::int64_t bad = 0;
  std::string first_bad;
  for (int times = 1;; ++times) {
    const Progressed& at = trainer_->progress();
    Feed feed(feeds_, at.epoch, at.position, at.step * recipe_.accumulate);
    model_->seed_dropout(recipe_.seed, at.step);
    try {
      train_on(feed, profile);
    } catch (const Diverged& e) {
      if (!roll_back(times, e)) throw;
      continue;
    } catch (const Interrupted&) {
      saver_->wait();
      throw;
    }
    bad = feed.bad_count(), first_bad = feed.first_bad();
    break;
  }
  const ProfileSummary& profiled = profile.finish();
  if (begin == 0 && total == 0) save();  // steps: 0 is the untrained network, for comparison
  saver_->wait();
  if (bad > 0)
    log_warn(format_count(static_cast<std::uint64_t>(bad)) +
             " pictures could not be read and were skipped; the first: " + first_bad);
  if (folder_) folder_->done(trainer_->last());
  group_->barrier();
  const Progressed& p = trainer_->progress();
  return {.run = out_,
          .last = trainer_->last(),
          .best = p.best,
          .best_step = p.best_step,
          .resumed_from = resumed_from_,
          .profile = profiled};
}

TrainOutcome run_training(const TrainRequest& request, const JudgeMaker& judges) {
  return Session(request, judges).run();
}

}  // namespace likeness::train
