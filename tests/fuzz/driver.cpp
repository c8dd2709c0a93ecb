// Runs a libFuzzer target without libFuzzer, so that g++ and ctest can: TARGET SECONDS CORPUS-FOLDER… first replays
// every file of the folders, then mutates them for so many seconds. Rounds are numbered and draw from their number, so
// a failure can be repeated: TARGET --round N CORPUS-FOLDER…. With clang, link the target to -fsanitize=fuzzer instead
// of this file.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using likeness::test::Bytes;

void run(const Bytes& bytes) {
  // A copy of exactly this size, so that a sanitizer sees every read past the end.
  const Bytes exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(exact.data()), exact.size());
}

std::vector<Bytes> read_corpus(int argc, char** argv, int first) {
  std::vector<std::filesystem::path> paths;
  for (int a = first; a < argc; ++a)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[a]))
      if (entry.is_regular_file()) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    corpus.emplace_back(begin, begin + text.size());
  }
  return corpus;
}

void run_round(const std::vector<Bytes>& corpus, std::uint64_t round) {
  likeness::Rng rng(0, likeness::Purpose::kTest, 1, round);
  run(likeness::test::mutate(corpus, rng));
}

}  // namespace

int main(int argc, char** argv) {
  const bool repeat = argc > 2 && std::string(argv[1]) == "--round";
  const std::vector<Bytes> corpus = read_corpus(argc, argv, repeat ? 3 : 2);
  if (corpus.empty()) return std::fprintf(stderr, "usage: %s SECONDS CORPUS-FOLDER...\n", argv[0]), 2;
  if (repeat) return run_round(corpus, std::strtoull(argv[2], nullptr, 10)), 0;
  for (const Bytes& sample : corpus) run(sample);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(argv[1]));
  std::uint64_t round = 0;
  for (; std::chrono::steady_clock::now() < end; ++round) {
    try {
      run_round(corpus, round);
    } catch (const std::exception& e) {
      return std::fprintf(stderr, "round %llu: %s\n", static_cast<unsigned long long>(round), e.what()), 1;
    }
  }
  std::printf("%zu samples replayed, %llu mutations survived\n", corpus.size(), static_cast<unsigned long long>(round));
  // A target that does nothing would survive everything, a corpus that is far too large would see nothing.
  return round > 100 ? 0 : (std::fprintf(stderr, "too few mutations to mean anything\n"), 1);
}
