#include "train/plan/measure.h"

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "core/progress.h"
#include "core/signals.h"
#include "train/head/classes.h"
#include "train/head_start.h"
#include "train/memory.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Waits for a GPU to finish what it was given.
void settle(const at::Tensor& last) { last.sum().item<double>(); }

}  // namespace

Measured measure_step(const Recipe& recipe, const model::Graph& graph, const Job& job, c10::Device device,
                      double seconds) {
  const std::int64_t before = process_size("RssAnon");
  const ClassRange range = class_range(job.identities, 0, recipe.ranks);
  model::TorchModel network(graph, model::initial_weights(graph, recipe.seed), at::kFloat);
  if (recipe.precision == "bf16") network.set_bf16(true);
  Classifier head(head_options(recipe, range.count), at::kFloat);
  network.to(device);
  head.to(device);
  Trainer trainer(network, head, recipe, device);
  const auto options = at::TensorOptions(device).dtype(at::kFloat);
  const at::Tensor images = at::randn({recipe.batch, 3, graph.input_height, graph.input_width}, options)
                                .contiguous(at::MemoryFormat::ChannelsLast);
  const auto some_labels = [&](std::int64_t count) { return at::randint(0, range.count, {count}, at::kLong); };
  const std::int64_t of_all = recipe.batch * recipe.ranks;
  const at::Tensor embeddings = at::randn({of_all, recipe.backbone.embedding}, options);
  const RowRule still = row_rule(recipe.optimizer, 0, 0, 0);
  const auto step = [&](const at::Tensor& labels) {
    const StepMeters meters = trainer.step(recipe.accumulate, [&] { return MicroBatch{images, labels}; });
    settle(meters.loss);
    if (const int signal = stop_signal()) throw Interrupted(signal);
  };
  const auto head_alone = [&](std::int64_t count) {
    const at::Tensor some = embeddings.narrow(0, 0, count), labels = some_labels(count);
    const auto start = Clock::now();
    settle(head.step(some, labels, 0, &still).loss);
    return since(start);
  };

  network.train(true);
  constexpr int kWarmUp = 2;
  for (int i = 0; i < kWarmUp; ++i) step(some_labels(recipe.batch));
  Measured m{.device = device.str(), .threads = job.threads};
  Progress progress("measure", 0, "steps");
  std::int64_t peak = process_size("RssAnon");
  const auto start = Clock::now();
  while (m.steps < 3 || since(start) < seconds) {
    step(some_labels(recipe.batch));
    ++m.steps;
    progress.add();
    peak = std::max(peak, process_size("RssAnon"));
  }
  m.seconds_per_step = since(start) / static_cast<double>(m.steps);
  progress.finish();
  {
    model::Weights of_head, of_optimizer;  // what a checkpoint holds while it is written
    trainer.save(&of_head, &of_optimizer);
    const model::Weights of_network = network.state();
    peak = std::max(peak, process_size("RssAnon"));
  }
  if (device.is_cpu() && before > 0) m.memory = peak - before;

  // The head sees the pictures of all ranks, and this step only this rank's.
  head_alone(recipe.batch);
  const double own = head_alone(recipe.batch) * static_cast<double>(recipe.accumulate);
  double all = own;
  if (recipe.ranks > 1) {
    head_alone(of_all);
    all = head_alone(of_all) * static_cast<double>(recipe.accumulate);
  }
  m.seconds_per_step += all - own;
  m.head_share = all / m.seconds_per_step;
  return m;
}

}  // namespace likeness::train
