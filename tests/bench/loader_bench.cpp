// Loader against the decoder's limit: the rate at which libjpeg-turbo alone, in one loop over the same pictures in
// memory, decodes, flips every other picture and normalises to planar floats. 64 x 64 pictures: synthetic ones, or
// celeba64-train where LIKENESS_FACES is set. Both rates are per second of CPU time, so that a machine shared with
// others still gives a ratio to be trusted, and both are the best of several turns taken in alternation.
#include <benchmark/benchmark.h>
#include <time.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cstring>

#include "core/rng.h"
#include "data/loader.h"
#include "data/synth.h"
#include "tests/support/paths.h"

namespace likeness::data {
namespace {

constexpr std::int64_t kBatch = 128;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

struct Set {
  test::TempDir dir;
  std::unique_ptr<FaceSource> source;
  std::vector<std::byte> bytes;  // the first pictures, one behind the other
  std::vector<std::size_t> offset{0};

  Set() {
    if (const auto faces = test::faces()) {
      source = open_faces(*faces / "celeba64-train");
    } else {
      write_synthetic(dir / "set.faces.h5", IfExists::kRefuse,
                      {.identities = 400, .pictures = 20, .size = 64, .planted = {}});
      source = open_faces(dir / "set.faces.h5");
    }
    std::vector<std::byte> scratch;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(8192, source->size()); ++i) {
      const auto jpeg = source->encoded(i, scratch);
      bytes.insert(bytes.end(), jpeg.begin(), jpeg.end());
      offset.push_back(bytes.size());
    }
  }
  std::size_t pictures() const { return offset.size() - 1; }
  const unsigned char* jpeg(std::size_t i) const {
    return reinterpret_cast<const unsigned char*>(bytes.data()) + offset[i];
  }
  unsigned long length(std::size_t i) const { return offset[i + 1] - offset[i]; }
};

Set& the_set() {
  static Set set;
  return set;
}

class Decoder {
 public:
  ~Decoder() { tjDestroy(handle_); }
  bool decode(const Set& set, std::size_t i, std::uint8_t* rgb) {
    int w = 0, h = 0, subsampling = 0, space = 0;
    auto* jpeg = const_cast<unsigned char*>(set.jpeg(i));
    return tjDecompressHeader3(handle_, jpeg, set.length(i), &w, &h, &subsampling, &space) == 0 && w == 64 && h == 64 &&
           tjDecompress2(handle_, jpeg, set.length(i), rgb, w, 0, h, TJPF_RGB, 0) == 0;
  }

 private:
  tjhandle handle_ = tjInitDecompress();
};

// Decode, flip of every other picture, x/127.5 - 1 into planar floats. False: a picture could not be read. Given the
// vector instructions that the machine has, as libjpeg-turbo takes them.
__attribute__((target_clones("avx2", "default"))) bool limit(const Set& set, std::vector<float>& out) {
  Decoder decoder;
  std::uint8_t rgb[64 * 64 * 3];
  for (std::size_t i = 0; i < set.pictures(); ++i) {
    if (!decoder.decode(set, i, rgb)) return false;
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 64; ++y) {
        float* o = out.data() + (c * 64 + y) * 64;
        const std::uint8_t* q = rgb + y * 64 * 3 + c;
        if (i & 1)
          for (int x = 0; x < 64; ++x) o[x] = float(q[3 * (63 - x)]) * (1 / 127.5f) - 1;
        else
          for (int x = 0; x < 64; ++x) o[x] = float(q[3 * x]) * (1 / 127.5f) - 1;
      }
    benchmark::ClobberMemory();
  }
  return true;
}

LoaderOptions options(int workers) {
  LoaderOptions o;
  o.geometry = the_set().source->geometry();
  o.sampler = {.seed = 1, .batch = kBatch};
  o.workers = workers;
  return o;
}

// The loader's pixels are those of the decoder, flipped where its rule says so.
bool pixels_are_right() {
  const Set& set = the_set();
  const auto o = options(2);
  Loader loader(*set.source, o);
  Decoder decoder;
  std::uint8_t rgb[64 * 64 * 3];
  int checked = 0;
  for (int k = 0; k < 20 || checked < 100; ++k) {
    const Batch& batch = loader.next();
    for (std::int64_t b = 0; b < batch.size; ++b) {
      const auto i = static_cast<std::size_t>(batch.index[b]);
      if (i >= set.pictures()) continue;  // the decoder's part of a larger set
      if (!decoder.decode(set, i, rgb)) return false;
      Rng rng(1, Purpose::kAugment, static_cast<std::uint64_t>(batch.epoch), i);
      if (rng.chance(o.flip))
        for (int y = 0; y < 64; ++y)
          for (int x = 0; x < 32; ++x)
            std::swap_ranges(rgb + (y * 64 + x) * 3, rgb + (y * 64 + x) * 3 + 3, rgb + (y * 64 + 63 - x) * 3);
      if (std::memcmp(rgb, batch.pixels + b * std::ptrdiff_t{sizeof rgb}, sizeof rgb) != 0) return false;
      ++checked;
    }
  }
  return true;
}

void BM_loader_against_limit(benchmark::State& state) {
  const Set& set = the_set();
  if (!pixels_are_right()) return state.SkipWithError("the loader's pixels are wrong");
  const int workers = static_cast<int>(state.range(0));
  Loader loader(*set.source, options(workers));
  std::vector<float> out(64 * 64 * 3);
  const std::int64_t batches = static_cast<std::int64_t>(set.pictures()) / kBatch;
  double best_limit = 0, best_loader = 0;
  for (int k = 0; k < 8; ++k) loader.next();  // the ring is full, as it will be at the end of each turn
  for (auto _ : state) {
    double start = cpu_seconds();
    if (!limit(set, out)) return state.SkipWithError("a picture cannot be decoded");
    best_limit = std::max(best_limit, double(set.pictures()) / (cpu_seconds() - start));
    start = cpu_seconds();
    for (std::int64_t k = 0; k < batches; ++k) benchmark::DoNotOptimize(loader.next().pixels[0]);
    best_loader = std::max(best_loader, double(batches * kBatch) / (cpu_seconds() - start));
  }
  state.counters["limit/cpu-s"] = best_limit;
  state.counters["loader/cpu-s"] = best_loader;
  state.counters["ratio"] = best_loader / best_limit;
}
BENCHMARK(BM_loader_against_limit)->Arg(1)->Arg(2)->ArgName("workers")->Unit(benchmark::kMillisecond)->Iterations(7);

// Pictures per second of wall time as a trainer gets them.
void BM_loader(benchmark::State& state) {
  if (!pixels_are_right()) return state.SkipWithError("the loader's pixels are wrong");
  Loader loader(*the_set().source, options(static_cast<int>(state.range(0))));
  for (auto _ : state)
    for (int k = 0; k < 64; ++k) benchmark::DoNotOptimize(loader.next().pixels[0]);
  state.SetItemsProcessed(state.iterations() * 64 * kBatch);
}
BENCHMARK(BM_loader)->Arg(1)->Arg(2)->ArgName("workers")->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_synthetic_picture(benchmark::State& state) {
  SynthOptions o;
  o.size = static_cast<int>(state.range(0));
  if (draw_picture(o, 0, 0).jpeg != draw_picture(o, 0, 0).jpeg) return state.SkipWithError("not a pure function");
  std::int64_t n = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(draw_picture(o, n / 10, n % 10));
    ++n;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_synthetic_picture)->Arg(64)->Arg(112)->ArgName("size")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace likeness::data

BENCHMARK_MAIN();
