// Counter-based random numbers. There is no global generator anywhere: every draw is a pure function of a key, so results
// do not depend on threads, workers, or on what else was drawn before.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace likeness {

// What a stream is for. Two purposes never share numbers.
enum class Purpose : std::uint32_t {
  kShuffle = 1, kAugment = 2, kWeights = 3, kHead = 4, kSynthetic = 5, kBootstrap = 6, kSample = 7, kTest = 8, kDropout = 9,
  kMargin = 10, kDistill = 11
};

// One block of Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// A stream of Philox numbers: the key is a bijective mix of (seed, purpose, epoch), the counter is (index, block). Cheap to
// construct: make one per sample. Not shared between threads. The numbers are part of the file formats that record a seed:
// they never change.
class Rng {
 public:
  Rng(std::uint64_t seed, Purpose purpose, std::uint64_t epoch = 0, std::uint64_t index = 0);

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                         // [0, 1), 53 bits
  double uniform(double low, double high);  // [low, high)
  std::uint64_t below(std::uint64_t n);     // [0, n), unbiased; n > 0
  double normal();                          // mean 0, standard deviation 1 (Box-Muller)
  bool chance(double probability) { return uniform() < probability; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t index_, block_ = 0;
  std::array<std::uint32_t, 4> buffer_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

// FNV-1a, 64 bits, over the bytes of `name`.
constexpr std::uint64_t fnv1a(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

}  // namespace likeness
