// Speed of judging. Each benchmark checks its answer before it is timed; references: InsightFace's evaluate() needs 1.4 s for
// 6,000 pairs of 512 numbers and ten folds (two cores of a Zen 4).
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <iostream>

#include "core/rng.h"
#include "eval/metrics/insightface.h"
#include "eval/metrics/tally.h"

namespace likeness::eval {
namespace {

[[noreturn]] void wrong(const char* what) {
  std::cerr << "eval_bench: wrong answer: " << what << "\n";
  std::exit(1);
}

// The pairs of the reference's benchmark: 300 genuine, then 300 impostor pairs in each fold; genuine cosine about 0.33.
struct StoredPairs {
  static constexpr std::int64_t kPairs = 6000, kDimension = 512;
  std::vector<float> embeddings;
  std::vector<std::int64_t> a, b;
  std::vector<std::uint8_t> genuine;
  StoredPairs() {
    Rng rng(1, Purpose::kTest);
    embeddings.resize(static_cast<std::size_t>(2 * kPairs * kDimension));
    for (std::int64_t p = 0; p < kPairs; ++p) {
      a.push_back(2 * p), b.push_back(2 * p + 1);
      genuine.push_back(p / 300 % 2 == 0);
      float* x = embeddings.data() + 2 * p * kDimension;
      for (std::int64_t k = 0; k < kDimension; ++k) {
        x[k] = static_cast<float>(rng.normal());
        x[kDimension + k] = static_cast<float>(rng.normal()) + (genuine.back() ? 0.35f * x[k] : 0.f);
      }
    }
  }
};

void check(const StoredPairs& s, const std::vector<double>& d, const InsightfaceResult& r) {
  // Every accuracy again, by the definition: one distance, one grid point, one fold at a time.
  for (std::size_t p = 0; p < d.size(); p += 997) {
    double na = 0, nb = 0, sum = 0;
    const float* x = s.embeddings.data() + 2 * p * StoredPairs::kDimension;
    for (int k = 0; k < StoredPairs::kDimension; ++k) na += double(x[k]) * x[k], nb += double(x[512 + k]) * x[512 + k];
    for (int k = 0; k < StoredPairs::kDimension; ++k) sum += std::pow(x[k] / std::sqrt(na) - x[512 + k] / std::sqrt(nb), 2);
    if (std::abs(sum - d[p]) > 1e-12) wrong("distance");
  }
  for (const InsightfaceFold& fold : r.folds) {
    std::int64_t best = -1, best_correct = -1;
    for (int i = 0; i < 400; ++i) {
      std::int64_t correct = 0;
      for (std::int64_t p = 0; p < StoredPairs::kPairs; ++p)
        if (p < fold.begin || p >= fold.end) correct += (d[static_cast<std::size_t>(p)] < i * 0.01) == (s.genuine[static_cast<std::size_t>(p)] != 0);
      if (correct > best_correct) best = i, best_correct = correct;
    }
    if (best != fold.best_index) wrong("best threshold");
  }
}

void stored_pairs(benchmark::State& state) {
  const StoredPairs s;
  const auto ends = contiguous_folds(StoredPairs::kPairs, 10);
  auto evaluate = [&](std::vector<double>* distances) {
    auto d = squared_distances(s.embeddings, StoredPairs::kDimension, s.a, s.b, static_cast<int>(state.range(0)));
    InsightfaceResult r = insightface_folds(d, s.genuine, ends, 1e-3, "bench");
    if (distances) *distances = std::move(d);
    return r;
  };
  std::vector<double> d;
  const InsightfaceResult first = evaluate(&d);
  check(s, d, first);
  for (auto _ : state) benchmark::DoNotOptimize(evaluate(nullptr));
}
BENCHMARK(stored_pairs)->Name("6000_pairs_512d_10_folds/threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// All pairs of a set as large as LFW's View 2: 29.6 million comparisons.
void all_pairs(benchmark::State& state) {
  const std::int64_t n = 7701, d = state.range(0);
  EmbeddingArchive a;
  a.dimension = d;
  Rng rng(2, Purpose::kTest);
  a.embeddings.resize(static_cast<std::size_t>(n * d));
  for (float& x : a.embeddings) x = static_cast<float>(rng.normal());
  a.keys.resize(static_cast<std::size_t>(n));
  a.failed.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    a.subjects.push_back(i / 2);
    if (i % 2 == 1)
      for (std::int64_t k = 0; k < d; ++k) a.embeddings[static_cast<std::size_t>(i * d + k)] += 0.8f * a.embeddings[static_cast<std::size_t>((i - 1) * d + k)];
  }
  const Cosines cosines(a, "bench");
  const Decisions decisions{{1e-5, 1e-4, 1e-3}, {}, true};
  auto count = [&] { return tally_all_pairs(cosines, a.subjects, {}, decisions, static_cast<int>(state.range(1))); };

  const Tally first = count();
  const OperatingPoint p = at_fmr(first.pooled(), 1e-3);
  std::int64_t accepted = 0, impostors = 0;
  for (std::int64_t i = 0; i < n; i += 40)  // one row in forty, score by score
    for (std::int64_t j = 0; j < n; ++j) {
      if (a.subjects[static_cast<std::size_t>(i)] == a.subjects[static_cast<std::size_t>(j)]) continue;
      ++impostors;
      accepted += cosines.score(i, j) >= p.threshold;
    }
  const double rate = static_cast<double>(accepted) / static_cast<double>(impostors), sigma = std::sqrt(1e-3 / static_cast<double>(impostors));
  if (std::abs(rate - 1e-3) > 5 * sigma || p.impostors_accepted != error_budget(p.impostor_total, 1e-3)) wrong("false match rate");

  for (auto _ : state) benchmark::DoNotOptimize(count());
  state.counters["pairs/s"] = benchmark::Counter(static_cast<double>(n * (n - 1) / 2), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(all_pairs)->Name("all_pairs_7701/dimension/threads")->Args({128, 2})->Args({512, 2})->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);

}  // namespace
}  // namespace likeness::eval

BENCHMARK_MAIN();
