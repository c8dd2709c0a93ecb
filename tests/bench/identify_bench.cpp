// Speed of searching one among many and of template protocols. Each benchmark checks its answer before it is timed.
// References (two cores of a Zen 4): ijb_evals.py's evaluation_1N 3.1 s for 19,593 probes against 2,824 templates;
// arcface_torch's eval_ijbc.py 69 s and 5.2 GiB for IJB-C's 469,375 features and 15,658,489 pairs, lists read, without
// the network.
#include <benchmark/benchmark.h>
#include <cblas.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/rng.h"
#include "eval/identify.h"

namespace likeness::eval {
namespace {

[[noreturn]] void wrong(const char* what) {
  std::cerr << "identify_bench: wrong answer: " << what << "\n";
  std::exit(1);
}

// Rows of `signal` times their person's direction plus noise, from a table of normal numbers: half a gigabyte of them
// one by one would take longer than what is measured.
EmbeddingArchive faces(const std::vector<std::int64_t>& people, std::int64_t dimension, float signal,
                       std::uint64_t seed) {
  static const std::vector<float> table = [] {
    std::vector<float> t(1 << 20);
    Rng rng(5, Purpose::kTest);
    for (float& x : t) x = static_cast<float>(rng.normal());
    return t;
  }();
  EmbeddingArchive a;
  a.dimension = dimension;
  a.subjects = people;
  a.failed.resize(people.size()), a.keys.resize(people.size());
  a.embeddings.resize(people.size() * static_cast<std::size_t>(dimension));
  const std::uint64_t room = table.size() - static_cast<std::size_t>(dimension);
  for (std::size_t i = 0; i < people.size(); ++i) {
    const float* person = table.data() + Rng(1, Purpose::kTest, 0, static_cast<std::uint64_t>(people[i])).below(room);
    const float* noise = table.data() + Rng(seed, Purpose::kTest, 1, i).below(room);
    float* row = a.embeddings.data() + i * static_cast<std::size_t>(dimension);
    for (std::int64_t k = 0; k < dimension; ++k) row[k] = signal * person[k] + noise[k];
  }
  return a;
}

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<std::int64_t>(i);
  return v;
}

double peak_mib() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_maxrss) / 1024;
}

// Top 50 of a gallery of distractors, and the bare matrix product of the same tiles on the same threads: the scale.
void top_50(benchmark::State& state) {
  const std::int64_t probes = state.range(0), gallery = state.range(1);
  const EmbeddingArchive a = faces(counted(probes), 512, .35f, 2), b = faces(counted(gallery), 512, .35f, 3);
  const Cosines p(a, "probes"), g(b, "gallery");
  const std::vector<std::int64_t> rows = counted(probes);
  const std::vector<GalleryPart> parts = {{&g, {}, {}}};
  const auto run = [&] { return search(p, rows, rows, parts, {.candidates = 50, .threads = 2}); };
  const SearchResult first = run();
  for (std::int64_t i = 0; i < probes; i += probes / 5) {
    std::vector<double> scores;
    for (std::int64_t j = 0; j < gallery; ++j) scores.push_back(p.score(i, g, j));
    std::sort(scores.begin(), scores.end(), std::greater<>());
    for (std::size_t k = 0; k < 50; ++k)
      if (first.candidates[static_cast<std::size_t>(i) * 50 + k].score != scores[k]) wrong("candidate");
  }
  for (auto _ : state) benchmark::DoNotOptimize(run());
  state.counters["comparisons/s"] =
      benchmark::Counter(static_cast<double>(probes * gallery), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(top_50)
    ->Name("top_50_512d/probes/gallery")
    ->Args({2000, 100'000})
    ->Args({10'000, 1'000'000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(1);

void bare_product(benchmark::State& state) {
  const std::int64_t probes = state.range(0), gallery = state.range(1);
  const EmbeddingArchive a = faces(counted(probes), 512, .35f, 2), b = faces(counted(gallery), 512, .35f, 3);
  std::vector<float> scores(static_cast<std::size_t>(probes) * 4096);
  openblas_set_num_threads(2);
  for (auto _ : state)
    for (std::int64_t j = 0; j < gallery; j += 4096) {
      const auto width = static_cast<int>(std::min<std::int64_t>(4096, gallery - j));
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(probes), width, 512, 1, a.embeddings.data(),
                  512, b.embeddings.data() + j * 512, 512, 0, scores.data(), width);
      benchmark::DoNotOptimize(scores.data());
    }
  state.counters["comparisons/s"] =
      benchmark::Counter(static_cast<double>(probes * gallery), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(bare_product)
    ->Name("bare_product_512d/probes/gallery")
    ->Args({2000, 100'000})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);

// IJB-C's 1:N: one template each of 3,531 people, a fifth of them not enrolled, and 19,593 probes.
void one_to_n(benchmark::State& state) {
  std::vector<std::int64_t> people = counted(3531);
  Rng rng(4, Purpose::kTest);
  for (int i = 0; i < 19'593; ++i) people.push_back(static_cast<std::int64_t>(rng.below(3531)));
  const EmbeddingArchive a = faces(people, 512, .6f, 6);
  Enrolment e;
  e.source = "bench", e.protocol = "ijb 1:n";
  e.templates.subjects = people;
  e.galleries.push_back({});
  for (std::size_t t = 0; t < people.size(); ++t) {
    e.templates.names.push_back(std::to_string(t));
    if (t >= 3531)
      e.probes.push_back(static_cast<std::int64_t>(t));
    else if (people[t] % 5 != 0)
      e.galleries[0].entries.push_back(static_cast<std::int64_t>(t));
  }
  const auto run = [&] { return identify(a, e, {}, {.threads = 2}); };
  const Result first = run().result;
  const Cosines c(a, "bench");
  const Measure& fnir = first.metrics.at("fnir@fpir=1e-1");
  std::int64_t missed = 0, mated = 0, alarms = 0, others = 0;
  for (std::size_t p = 0; p < e.probes.size(); ++p) {
    const std::int64_t person = people[static_cast<std::size_t>(e.probes[p])];
    if (person % 5 != 0 && p % 16 != 0) continue;  // every non-mated search, and a sample of the others
    double best = -2, mate = -2;
    for (std::int64_t g : e.galleries[0].entries) {
      const double s = c.score(e.probes[p], g);
      (people[static_cast<std::size_t>(g)] == person ? mate : best) =
          std::max(people[static_cast<std::size_t>(g)] == person ? mate : best, s);
    }
    if (person % 5 == 0)
      ++others, alarms += best >= *fnir.threshold;
    else
      ++mated, missed += best >= mate || mate < *fnir.threshold;
  }
  const double rate = static_cast<double>(missed) / static_cast<double>(mated);
  if (alarms != error_budget(others, 1e-1)) wrong("false positive identifications");
  if (std::abs(rate - *fnir.value) > 6 * std::sqrt(std::max(*fnir.value, 1e-3) / static_cast<double>(mated)))
    wrong("FNIR");
  for (auto _ : state) benchmark::DoNotOptimize(run());
}
BENCHMARK(one_to_n)->Name("ijbc_shaped_1_to_n")->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(3);

// IJB-C's 1:1 from its lists and an archive in memory to TAR at six FMR.
void one_to_one(benchmark::State& state) {
  constexpr std::int64_t kFaces = 469'375, kTemplates = 23'124, kGallery = 3'531, kPairs = 15'658'489;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("identify_bench." + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  Rng rng(7, Purpose::kTest);
  std::vector<std::int64_t> template_person = counted(kGallery), people;
  while (static_cast<std::int64_t>(template_person.size()) < kTemplates)
    template_person.push_back(static_cast<std::int64_t>(rng.below(kGallery)));
  {
    std::ofstream lists(folder / "x_face_tid_mid.txt"), pairs(folder / "x_template_pair_label.txt");
    for (std::int64_t i = 0; i < kFaces; ++i) {
      const std::int64_t t = i < kTemplates ? i : static_cast<std::int64_t>(rng.below(kTemplates));
      lists << i + 1 << ".jpg " << t + 1 << ' ' << i / 2 << '\n';
      people.push_back(template_person[static_cast<std::size_t>(t)]);
    }
    for (std::int64_t i = 0; i < kPairs; ++i) {
      const auto b = static_cast<std::int64_t>(kGallery + rng.below(kTemplates - kGallery));
      const std::int64_t a =
          i % 800 == 0 ? template_person[static_cast<std::size_t>(b)] : static_cast<std::int64_t>(rng.below(kGallery));
      pairs << a + 1 << ' ' << b + 1 << (a == template_person[static_cast<std::size_t>(b)] ? " 1\n" : " 0\n");
    }
  }
  EmbeddingArchive a = faces(people, 512, .2f, 8);
  for (std::size_t i = 0; i < a.keys.size(); ++i) a.keys[i] = std::to_string(i + 1) + ".jpg";
  std::vector<OperatingTarget> at;
  for (double t : {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1}) at.push_back({OperatingTarget::Kind::kFmr, t});
  const double before = peak_mib();
  const auto run = [&](EmbeddingArchive* pooled, Trials* trials) {
    *pooled = {}, *trials = {};  // else two lists would be counted
    const IjbFiles files = find_ijb_files(folder);
    const TemplateList list = read_ijb_templates(files.templates, SetIndex::of(a));
    *trials = read_ijb_pairs(files.pairs, list);
    *pooled = pool(a, list, {}, 2);
    return verify(*pooled, *trials, {.at = at, .threads = 2});
  };
  EmbeddingArchive pooled;
  Trials trials;
  const Result first = run(&pooled, &trials);
  const Cosines c(pooled, "bench");
  for (const OperatingTarget& t : at) {
    const Measure& m = first.metrics.at("tar@" + t.name());
    if (!m.threshold) continue;
    std::int64_t accepted = 0, impostors = 0, genuine = 0;
    for (const ListedPair& p : trials.pairs) {
      const bool yes = p.genuine || t.value == 1e-4 ? c.score(p.a, p.b) >= *m.threshold : false;
      impostors += !p.genuine, accepted += yes && !p.genuine, genuine += yes && p.genuine;
    }
    if (genuine != *m.numerator) wrong("true accepts");
    if (t.value == 1e-4 && accepted != error_budget(impostors, 1e-4)) wrong("false matches");
  }
  trials = {}, pooled = {};
  for (auto _ : state) benchmark::DoNotOptimize(run(&pooled, &trials));
  state.counters["peak_MiB"] = peak_mib();
  state.counters["features_MiB"] = before;
  std::filesystem::remove_all(folder);
}
BENCHMARK(one_to_one)->Name("ijbc_shaped_1_to_1")->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(2);

}  // namespace
}  // namespace likeness::eval

BENCHMARK_MAIN();
