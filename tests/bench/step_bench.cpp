// One training step: forward, margin loss over 10,000 classes, backward, clipping, SGD. Random pictures already in
// memory, the same batch every time.
//
//   step_bench [--benchmark_filter=mbf/112/32/f32] [--threads=2]
//
// items_per_second is pictures per second; forward, head, backward and update are milliseconds of a step. Before
// anything is timed, the step's embeddings and gradients are compared with the same step in f64: a wrong answer gets no
// time.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "tests/bench/threads.h"
#include "train/head/classifier.h"
#include "train/optim/optimizer.h"

namespace likeness {
namespace {

constexpr std::int64_t kClasses = 10000;

struct Setup {
  std::string network;
  int side;
  std::int64_t batch;
  bool bf16;
};

std::string name_of(const Setup& s) {
  return s.network + "/" + std::to_string(s.side) + "/" + std::to_string(s.batch) + (s.bf16 ? "/bf16" : "/f32");
}

// A network, its head and its optimizer, with one batch.
struct Step {
  Step(const Setup& s, at::ScalarType dtype)
      : model(make_model(s, dtype)),
        head({.classes = kClasses, .dimension = 512, .loss = {"arcface"}}, dtype),
        generator(at::detail::createCPUGenerator(7)) {
    model->set_bf16(s.bf16 && dtype == at::kFloat);
    images = at::randn({s.batch, 3, s.side, s.side}, generator, at::kFloat)
                 .to(dtype)
                 .contiguous(at::MemoryFormat::ChannelsLast);
    labels = at::randint(0, kClasses, {s.batch}, generator, at::kLong);
    std::vector<train::Parameter> parameters;
    for (const auto& [name, tensor] : model->parameters()) {
      parameters.push_back({.name = name, .value = tensor, .weight_decay = 5e-4});
      backbone.push_back(tensor);
    }
    optimizer = std::make_unique<train::Optimizer>(std::move(parameters), train::OptimizerOptions{});
  }
  static std::unique_ptr<model::TorchModel> make_model(const Setup& s, at::ScalarType dtype) {
    const model::Graph graph = model::build_backbone({.name = s.network, .input = s.side});
    return std::make_unique<model::TorchModel>(graph, model::initial_weights(graph, 1), dtype);
  }
  at::Tensor gradients() const {
    std::vector<at::Tensor> flat;
    for (const at::Tensor& p : backbone) flat.push_back(p.grad().flatten());
    return at::cat(flat).to(at::kDouble);
  }

  std::unique_ptr<model::TorchModel> model;
  train::Classifier head;
  at::Generator generator;
  at::Tensor images, labels;
  std::vector<at::Tensor> backbone;
  std::unique_ptr<train::Optimizer> optimizer;
};

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a.detach().to(at::kDouble).flatten(), b.detach().to(at::kDouble).flatten(), 0)
      .item<double>();
}

// Exits when the step's embeddings or gradients are not those of the same step in f64.
void check(Setup setup) {
  setup.batch = 4;
  Step got(setup, at::kFloat), want(setup, at::kDouble);
  const at::Tensor embeddings = got.model->forward(got.images), reference = want.model->forward(want.images);
  embeddings.backward(got.head.step(embeddings, got.labels, 0, nullptr).embeddings);
  reference.backward(want.head.step(reference, want.labels, 0, nullptr).embeddings);
  const double forward = 1 - cosine(embeddings, reference), backward = 1 - cosine(got.gradients(), want.gradients());
  const double forward_limit = setup.bf16 ? 1e-2 : 1e-8, backward_limit = setup.bf16 ? 2e-1 : 1e-5;
  std::fprintf(stderr, "%s: 1 - cosine to f64: embeddings %.1e, gradients %.1e\n", name_of(setup).c_str(), forward,
               backward);
  if (!(forward < forward_limit && backward < backward_limit)) {
    std::fprintf(stderr, "%s: wrong answer (limits %.0e, %.0e)\n", name_of(setup).c_str(), forward_limit,
                 backward_limit);
    std::exit(1);
  }
}

void run(benchmark::State& state, const Setup& setup) {
  check(setup);
  Step s(setup, at::kFloat);
  using Clock = std::chrono::steady_clock;
  double phases[4] = {};
  const auto step = [&] {
    const auto t0 = Clock::now();
    const at::Tensor embeddings = s.model->forward(s.images);
    const auto t1 = Clock::now();
    const train::RowRule rule{.rate = 0.02, .weight_decay = 5e-4, .momentum = 0.9};
    const train::HeadStep head = s.head.step(embeddings, s.labels, 0, &rule);  // with the centres' update
    const auto t2 = Clock::now();
    embeddings.backward(head.embeddings);
    const auto t3 = Clock::now();
    train::clip_gradient_norm(s.backbone, 5);
    s.optimizer->step(0.02, 0);
    const auto t4 = Clock::now();
    const Clock::time_point at[5] = {t0, t1, t2, t3, t4};
    for (int i = 0; i < 4; ++i) phases[i] += std::chrono::duration<double, std::milli>(at[i + 1] - at[i]).count();
  };
  for (int i = 0; i < 2; ++i) step();  // the allocator's and oneDNN's first times
  for (double& phase : phases) phase = 0;
  for (auto _ : state) step();
  state.SetItemsProcessed(state.iterations() * setup.batch);
  const char* names[4] = {"forward", "head", "backward", "update"};
  for (int i = 0; i < 4; ++i) state.counters[names[i]] = phases[i] / static_cast<double>(state.iterations());
}

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  likeness::bench::set_up_torch(argc, argv);
  for (const likeness::Setup& setup : {likeness::Setup{"mbf", 112, 32, false},
                                       {"mbf", 112, 32, true},
                                       {"mbf", 64, 64, false},
                                       {"mbf", 64, 64, true},
                                       {"r18", 112, 16, false},
                                       {"r18", 112, 16, true},
                                       {"vit_t", 112, 16, false},
                                       {"vit_t", 112, 16, true}}) {
    benchmark::RegisterBenchmark(likeness::name_of(setup).c_str(),
                                 [setup](benchmark::State& state) { likeness::run(state, setup); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->MeasureProcessCPUTime()
        ->Iterations(8);
  }
  return likeness::bench::run_registered(argc, argv);
}
