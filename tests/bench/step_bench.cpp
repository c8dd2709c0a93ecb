// One training step: forward, margin loss over 10,000 classes, backward, clipping, SGD. Random pictures already in
// memory, the same batch every time.
//
//   step_bench [--benchmark_filter=mbf/112/32/f32] [--threads=2] [--peer=FILE]
//
// items_per_second is pictures per second; forward, head, backward and update are milliseconds of a step. Before
// anything is timed, the step's embeddings and gradients are compared with the same step in f64: a wrong answer gets no
// time. A table at the end has the median of the steps, its ratio to another system's figure (peer.h), and for each
// part its share of a step and how near it comes to what this machine can do (limits.h).
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "tests/bench/limits.h"
#include "tests/bench/peer.h"
#include "tests/bench/threads.h"
#include "train/head/classifier.h"
#include "train/optim/optimizer.h"

namespace likeness {
namespace {

constexpr std::int64_t kClasses = 10000, kDimension = 512;

constexpr int kParts = 4;
constexpr const char* kPartNames[kParts] = {"forward", "head", "backward", "update"};
using Parts = std::array<double, kParts>;  // milliseconds of a step

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
        head({.classes = kClasses, .dimension = kDimension, .loss = {"arcface"}}, dtype),
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

// What was measured of one case.
struct Row {
  Setup setup;
  double milliseconds;  // of a step: the median
  Parts parts;          // means
  model::Graph::Macs macs;
  std::int64_t parameters;
};
std::vector<Row> rows;

// The least time that each part can take: its products at the speed of a large convolution or of a large matrix
// product, its passes over memory at that of a copy, whichever is longer. (A ViT masks a tenth of its tokens: its
// forward and backward may do so much better.)
Parts least_times(const Row& row, const bench::Limits& limits) {
  const double batch = static_cast<double>(row.setup.batch), centres = static_cast<double>(kClasses * kDimension);
  const double convolution = row.setup.bf16 ? limits.convolution_bf16 : limits.convolution_f32,
               product = row.setup.bf16 ? limits.product_bf16 : limits.product_f32;
  const double forward = 2 * batch *
                         (static_cast<double>(row.macs.conv) / convolution +
                          static_cast<double>(row.macs.linear + row.macs.attention) / product);
  // Centres and momentum are read and written; a parameter's gradient is read twice, its value and momentum moved, too.
  const double head =
      std::max(3 * 2 * batch * centres / limits.product_f32, 4 * sizeof(float) * centres / limits.memory);
  const double update = 6 * sizeof(float) * static_cast<double>(row.parameters) / limits.memory;
  return {1e3 * forward, 1e3 * head, 1e3 * 2 * forward, 1e3 * update};  // backward: by inputs and by weights
}

void print_table(const std::map<std::string, double>& peer) {
  if (rows.empty()) return;
  const bool bf16 = std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.setup.bf16; });
  const bench::Limits limits = bench::measure_limits(bf16);
  std::printf("\nThis machine at best, GFLOP/s: convolution %.0f f32, product %.0f f32", 1e-9 * limits.convolution_f32,
              1e-9 * limits.product_f32);
  if (bf16)
    std::printf(", convolution %.0f bf16, product %.0f bf16", 1e-9 * limits.convolution_bf16,
                1e-9 * limits.product_bf16);
  std::printf("; memory %.1f GB/s\n", 1e-9 * limits.memory);
  std::printf("Of each part: its share of a step, and the least time that it could take over what it takes.\n\n");
  std::printf("%-18s %10s %14s %7s", "", "pictures/s", peer.empty() ? "" : "arcface_torch",
              peer.empty() ? "" : "ratio");
  for (const char* part : kPartNames) std::printf("  %12s", part);
  std::printf("\n");
  for (const Row& row : rows) {
    const std::string name = name_of(row.setup);
    const double speed = 1e3 * static_cast<double>(row.setup.batch) / row.milliseconds;
    std::printf("%-18s %10.1f", name.c_str(), speed);
    if (const auto other = peer.find(name); other != peer.end())
      std::printf(" %14.1f %6.2fx", other->second, speed / other->second);
    else
      std::printf(" %14s %7s", peer.empty() ? "" : "-", peer.empty() ? "" : "-");
    const Parts least = least_times(row, limits);
    double whole = 0;
    for (double part : row.parts) whole += part;
    for (int i = 0; i < kParts; ++i)
      std::printf("  %3.0f %% (%3.0f %%)", 100 * row.parts[i] / whole, 100 * least[i] / row.parts[i]);
    std::printf("\n");
  }
}

void run(benchmark::State& state, const Setup& setup) {
  check(setup);
  Step s(setup, at::kFloat);
  using Clock = std::chrono::steady_clock;
  Parts parts{};
  std::vector<double> steps;
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
    const Clock::time_point at[kParts + 1] = {t0, t1, t2, t3, t4};
    const auto milliseconds = [](auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); };
    for (int i = 0; i < kParts; ++i) parts[i] += milliseconds(at[i + 1] - at[i]);
    steps.push_back(milliseconds(t4 - t0));
  };
  for (int i = 0; i < 2; ++i) step();  // the allocator's and oneDNN's first times
  parts = {};
  steps.clear();
  for (auto _ : state) step();
  state.SetItemsProcessed(state.iterations() * setup.batch);
  for (int i = 0; i < kParts; ++i) {
    parts[i] /= static_cast<double>(state.iterations());
    state.counters[kPartNames[i]] = parts[i];
  }
  std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2), steps.end());
  rows.push_back({.setup = setup,
                  .milliseconds = steps[steps.size() / 2],
                  .parts = parts,
                  .macs = s.model->graph().macs(),
                  .parameters = s.model->graph().trainable_parameter_count()});
}

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  likeness::bench::set_up_torch(argc, argv);
  const auto peer = likeness::bench::take_peer_figures(argc, argv);
  for (const likeness::Setup& setup : {likeness::Setup{"mbf", 112, 32, false},
                                       {"mbf", 112, 32, true},
                                       {"mbf", 64, 64, false},
                                       {"mbf", 64, 64, true},
                                       {"r18", 112, 16, false},
                                       {"r18", 112, 16, true},
                                       {"r50", 112, 16, false},
                                       {"r50", 112, 16, true},
                                       {"vit_t", 112, 16, false},
                                       {"vit_t", 112, 16, true}}) {
    benchmark::RegisterBenchmark(likeness::name_of(setup).c_str(),
                                 [setup](benchmark::State& state) { likeness::run(state, setup); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->MeasureProcessCPUTime()
        ->Iterations(8);
  }
  const int code = likeness::bench::run_registered(argc, argv);
  likeness::print_table(peer);
  return code;
}
