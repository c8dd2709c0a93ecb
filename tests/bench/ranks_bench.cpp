// What gradient averaging costs: two ranks of one thread each, with and without it, on the same pictures per rank.
//
//   ranks_bench [STEPS]     pairs of steps per network (default 12)
//
// Both ranks always run at once: without averaging they are two independent trainers, which share the machine's memory
// and caches as the ranks do. Steps of both kinds alternate, so that a drifting clock meets both. The ratio is the
// median time of an independent step over that of an averaged one: 1 means that averaging is free. Before anything is
// timed, the averaged gradients are compared with the plain average: a wrong answer gets no time.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "model/graph/backbones.h"
#include "model/torch/allocator.h"
#include "model/torch/module.h"
#include "train/dist/environment.h"
#include "train/dist/launch.h"
#include "train/dist/reducer.h"

namespace likeness {
namespace {

struct Setup {
  const char* network;
  int side;
  std::int64_t batch;
  bool bf16;  // of the sums
};
constexpr Setup kSetups[] = {{"mbf", 112, 16, false}, {"mbf", 112, 16, true}, {"r18", 112, 8, false}};

class Step {
 public:
  Step(const Setup& s, train::Group& group) : group_(group) {
    const model::Graph graph = model::build_backbone({.name = s.network, .input = s.side});
    model_ = std::make_unique<model::TorchModel>(graph, model::initial_weights(graph, 1), at::kFloat);
    for (const auto& [name, tensor] : model_->parameters()) parameters_.push_back(tensor);
    auto generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(7 + group.rank()));
    images_ = at::randn({s.batch, 3, s.side, s.side}, generator, at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
    direction_ = at::randn({s.batch, 512}, generator, at::kFloat);
    reducer_ = std::make_unique<train::Reducer>(parameters_, group, train::ReducerOptions{.bf16 = s.bf16});
  }
  // Seconds of one forward and backward, from the moment that both ranks are ready.
  double run(bool averaged) {
    for (at::Tensor& p : parameters_) p.mutable_grad().reset();
    reducer_->pause(!averaged);
    group_.barrier();
    const auto start = std::chrono::steady_clock::now();
    model_->forward(images_).backward(direction_);
    if (averaged) reducer_->finish();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  at::Tensor gradients() const {
    std::vector<at::Tensor> flat;
    for (const at::Tensor& p : parameters_) flat.push_back(p.grad().flatten());
    return at::cat(flat).to(at::kDouble);
  }
  std::int64_t buckets() const { return reducer_->bucket_count(); }

 private:
  train::Group& group_;
  std::unique_ptr<model::TorchModel> model_;
  std::vector<at::Tensor> parameters_;
  at::Tensor images_, direction_;
  std::unique_ptr<train::Reducer> reducer_;
};

// Relative distance of the averaged gradients from the plain average.
double check(Step& step, train::Group& group) {
  step.run(false);
  at::Tensor plain = step.gradients();
  group.all_reduce_sum(plain);
  plain /= group.size();
  step.run(true);
  return ((step.gradients() - plain).norm() / plain.norm()).item<double>();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int rank_main(const train::RankEnvironment& environment, int steps) {
  at::set_num_threads(1);
  const auto group = train::gloo_group(environment.group);
  const bool prints = group->rank() == 0;
  if (prints) std::printf("%-20s %8s %14s %14s %8s\n", "network", "buckets", "independent", "averaged", "ratio");
  for (const Setup& s : kSetups) {
    Step step(s, *group);
    const double error = check(step, *group), limit = s.bf16 ? 5e-3 : 1e-6;
    if (!(error < limit)) {
      std::fprintf(stderr, "%s: wrong answer: %.1e from the plain average (limit %.0e)\n", s.network, error, limit);
      return 1;
    }
    std::vector<double> times[2];
    for (int i = 0; i < steps; ++i)
      for (const bool averaged : {false, true}) {
        // The slower rank's time counts.
        at::Tensor time = at::scalar_tensor(step.run(averaged), at::kDouble).reshape({1});
        group->all_reduce_max(time);
        times[averaged].push_back(time.item<double>());
      }
    const double alone = median(times[false]), together = median(times[true]);
    const std::string name = std::string(s.network) + "/" + std::to_string(s.side) + "/" + std::to_string(s.batch) +
                             (s.bf16 ? "/bf16 sums" : "/f32 sums");
    if (prints)
      std::printf("%-20s %8lld %11.1f ms %11.1f ms %8.3f\n", name.c_str(), static_cast<long long>(step.buckets()),
                  alone * 1e3, together * 1e3, alone / together);
  }
  return 0;
}

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  using namespace likeness;
  model::keep_memory();
  try {
    const train::RankEnvironment environment = train::read_rank_environment();
    if (environment.group.size > 1) return rank_main(environment, argc > 1 ? std::atoi(argv[1]) : 12);
    return train::launch_ranks({.ranks = 2, .arguments = train::own_arguments()});
  } catch (const Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return e.exit_code();
  }
}
