// How fast sets come in: the whole import of a RecordIO file and of a folder, from page cache, in bytes of pictures.
// The container that it writes is compared with its source before anything is timed.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/rng.h"
#include "data/faces_file.h"
#include "data/import.h"
#include "data/source_common.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

namespace fs = std::filesystem;

constexpr int kPictures = 20000, kPerIdentity = 10, kSize = 64;

// Pictures of noise on a slope: about 2 KB each, like photographs of that size.
std::vector<std::byte> picture(int i) {
  Rng rng(1, Purpose::kTest, 0, static_cast<std::uint64_t>(i));
  std::vector<std::uint8_t> rgb(std::size_t{kSize} * kSize * 3);
  for (std::size_t p = 0; p < rgb.size(); ++p)
    rgb[p] = static_cast<std::uint8_t>(p / 3 % kSize * 2 + rng.next_u32() % 40);
  return data::encode_jpeg(rgb.data(), kSize, kSize, 88);
}

struct Sets {
  test::TempDir dir;
  std::uint64_t bytes = 0;

  Sets() {
    std::vector<std::vector<std::byte>> distinct;
    for (int i = 0; i < 100; ++i) distinct.push_back(picture(i));
    std::ofstream rec(dir / "train.rec", std::ios::binary), idx(dir / "train.idx");
    std::uint64_t at = 0;
    for (int i = 0; i < kPictures; ++i) {
      const auto& jpeg = distinct[static_cast<std::size_t>(i) % distinct.size()];
      bytes += jpeg.size();
      idx << i << '\t' << at << '\n';
      at += write_record(rec, i, jpeg);
      const fs::path folder = dir / "folder" / ("id" + std::to_string(i / kPerIdentity));
      if (i % kPerIdentity == 0) fs::create_directories(folder);
      write(std::ofstream(folder / (std::to_string(i) + ".jpg"), std::ios::binary), jpeg);
    }
  }

  static void write(std::ofstream&& out, std::span<const std::byte> b) {
    out.write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size()));
  }

  static std::uint64_t write_record(std::ofstream& out, int i, std::span<const std::byte> jpeg) {
    char head[32] = {};
    const std::uint32_t magic = 0xced7230a, length = static_cast<std::uint32_t>(24 + jpeg.size());
    const float label = static_cast<float>(i / kPerIdentity);
    std::memcpy(head, &magic, 4);
    std::memcpy(head + 4, &length, 4);
    std::memcpy(head + 12, &label, 4);
    std::memcpy(head + 16, &i, 4);
    out.write(head, sizeof head);
    out.write(reinterpret_cast<const char*>(jpeg.data()), static_cast<std::streamsize>(jpeg.size()));
    const std::uint64_t padding = (4 - jpeg.size() % 4) % 4;
    out.write("\0\0\0", static_cast<std::streamsize>(padding));
    return 32 + jpeg.size() + padding;
  }
};

Sets& sets() {
  static Sets s;
  return s;
}

void import_set(benchmark::State& state, const char* name, bool verify) {
  const fs::path set = sets().dir / name, out = sets().dir / "out.faces.h5";
  data::ImportOptions options;
  options.verify = verify;
  for (auto _ : state) {
    const auto source = data::open_faces(set);
    benchmark::DoNotOptimize(data::import_faces(*source, out, IfExists::kReplace, options).written.pictures);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * sets().bytes));
  state.counters["pictures/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kPictures), benchmark::Counter::kIsRate);
}

void check_answer() {
  for (const char* name : {"train.rec", "folder"}) {
    const auto source = data::open_faces(sets().dir / name);
    const auto out = sets().dir / "check.faces.h5";
    data::import_faces(*source, out, IfExists::kReplace, {});
    const auto file = data::open_faces_file(out);
    if (file->size() == kPictures && file->identities() == kPictures / kPerIdentity &&
        data::source_digest(*file) == data::source_digest(*source))
      continue;
    std::fprintf(stderr, "the import of %s is not its source\n", name);
    std::exit(1);
  }
}

BENCHMARK_CAPTURE(import_set, recordio, "train.rec", false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(import_set, folder, "folder", false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(import_set, recordio_decoding_all, "train.rec", true)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace likeness

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  likeness::check_answer();
  benchmark::RunSpecifiedBenchmarks();
}
