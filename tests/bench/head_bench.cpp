// The classifier alone: loss, the embeddings' gradient and the centres' SGD step, D 512, batch 128, f32, as
// arcface_torch's PartialFC_V2 with its SGD.
//
//   head_bench [--benchmark_filter=100000/] [--threads=2] [--peer=FILE]
//
// Counters: with another system's figures (peer.h), its milliseconds and the ratio; memory_mib, the peak over the start
// of the case (resident, from the kernel's high-water mark); ns_per_class. A step in f32 is compared with one in f64
// before anything is timed.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/peer.h"
#include "tests/bench/threads.h"
#include "train/head/classifier.h"
#include "train/memory.h"

namespace likeness {
namespace {

constexpr std::int64_t kBatch = 128, kDimension = 512;

struct Setup {
  std::int64_t classes;
  double rate;
  bool sparse;
};

train::ClassifierOptions options_of(const Setup& s) {
  return {
      .classes = s.classes, .dimension = kDimension, .loss = {"arcface"}, .sample_rate = s.rate, .sparse = s.sparse};
}

// Exits when f32 and f64 disagree.
void check() {
  const Setup s{3001, .3, false};
  train::Classifier single(options_of(s), at::kFloat), wide(options_of(s), at::kDouble);
  const at::Tensor e = at::randn({kBatch, kDimension}, at::kDouble),
                   labels = at::randint(0, s.classes, {kBatch}, at::kLong);
  const train::RowRule rule{.rate = .02, .weight_decay = 5e-4};
  const auto a = single.step(e.to(at::kFloat), labels, 0, &rule), b = wide.step(e, labels, 0, &rule);
  const double g = ((a.embeddings - b.embeddings).norm() / b.embeddings.norm()).item<double>(),
               w = ((single.weight() - wide.weight()).norm() / wide.weight().norm()).item<double>();
  std::fprintf(stderr, "f32 against f64: gradient %.1e, centres %.1e\n", g, w);
  if (!(g < 1e-4 && w < 1e-5)) std::exit(1);
}

std::string name_of(const Setup& s) {
  return std::to_string(s.classes) + "/rate" + (s.rate < 1 ? "0.1" : "1") + (s.sparse ? "/sparse" : "/dense");
}

void run(benchmark::State& state, const Setup& s, const std::map<std::string, double>& peer) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the high-water mark starts here
  const std::int64_t before = train::process_size("VmRSS");
  train::Classifier head(options_of(s), at::kFloat);
  at::Tensor e = at::randn({kBatch, kDimension}), labels = at::randint(0, s.classes, {kBatch}, at::kLong);
  const train::RowRule rule{.rate = .02, .weight_decay = 5e-4};
  std::int64_t step = 0;
  head.step(e, labels, step++, &rule);  // buffers are made
  std::vector<double> times;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    const auto result = head.step(e, labels, step++, &rule);
    if (!result.finite) std::exit(1);
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  if (const auto other = peer.find(name_of(s)); other != peer.end()) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    state.counters["arcface_torch_ms"] = other->second;
    state.counters["ratio"] = other->second / times[times.size() / 2];
  }
  state.counters["memory_mib"] = static_cast<double>(train::process_size("VmHWM") - before) / (1 << 20);
  state.counters["ns_per_class"] =
      benchmark::Counter(static_cast<double>(s.classes) * s.rate * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  likeness::bench::set_up_torch(argc, argv);
  const auto peer = likeness::bench::take_peer_figures(argc, argv);
  likeness::check();
  for (const likeness::Setup& s : {likeness::Setup{10'000, 1, false},
                                   {100'000, 1, false},
                                   {100'000, .1, false},
                                   {1'000'000, 1, false},
                                   {1'000'000, .1, false},
                                   {1'000'000, .1, true}}) {
    benchmark::RegisterBenchmark(likeness::name_of(s).c_str(),
                                 [s, &peer](benchmark::State& state) { likeness::run(state, s, peer); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->Iterations(s.classes >= 1'000'000 ? 3 : 10);
  }
  return likeness::bench::run_registered(argc, argv);
}
