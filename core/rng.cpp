#include "core/rng.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace likeness {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every output bit depends on every input
// bit.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ull;

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xd2511f53ull * c[0];
    const std::uint64_t p1 = 0xcd9e8d57ull * c[2];
    c = {high(p1) ^ c[1] ^ key[0], low(p1), high(p0) ^ c[3] ^ key[1], low(p0)};
    key[0] += 0x9e3779b9u;
    key[1] += 0xbb67ae85u;
  }
  return c;
}

Rng::Rng(std::uint64_t seed, Purpose purpose, std::uint64_t epoch, std::uint64_t index) : index_(index) {
  const std::uint64_t stream = mix(seed + kGolden) + kGolden * static_cast<std::uint32_t>(purpose);
  const std::uint64_t key = mix(mix(stream) + kGolden * epoch);
  key_ = {low(key), high(key)};
}

std::uint32_t Rng::next_u32() {
  if (used_ == 4) {
    buffer_ = philox4x32({low(block_), high(block_), low(index_), high(index_)}, key_);
    ++block_;
    used_ = 0;
  }
  return buffer_[used_++];
}

std::uint64_t Rng::next_u64() {
  const std::uint64_t first = next_u32();
  return first | static_cast<std::uint64_t>(next_u32()) << 32;
}

double Rng::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

double Rng::uniform(double lo, double hi) {
  const double x = lo + (hi - lo) * uniform();
  return x < hi || !(lo < hi) ? x
                              : std::nextafter(hi, lo);  // rounding may reach `hi`, which is promised to be excluded
}

// Lemire, "Fast random integer generation in an interval", 2019.
std::uint64_t Rng::below(std::uint64_t n) {
  LIKENESS_ASSERT(n > 0);
  const std::uint64_t threshold = (0 - n) % n;
  for (;;) {
    const auto product = static_cast<unsigned __int128>(next_u64()) * n;
    if (static_cast<std::uint64_t>(product) >= threshold) return static_cast<std::uint64_t>(product >> 64);
  }
}

double Rng::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u lies in (0, 1]: the logarithm is finite
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

}  // namespace likeness
