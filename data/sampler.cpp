#include "data/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <string>

#include "core/error.h"
#include "core/rng.h"

namespace likeness::data {
namespace {

// Four rounds make a Feistel network pseudo-random when the halves are wide (Luby and Rackoff 1988): eight have a
// margin. Halves of a few bits need many more before all orders of a tiny set are equally likely (measured in
// sampler_test.cpp).
constexpr int kRounds = 8, kRoundsOfTiny = 32, kTinyBits = 10;

std::uint64_t mix(std::uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

std::uint64_t low_bits(int bits) { return bits == 0 ? 0 : ~std::uint64_t{0} >> (64 - bits); }

// Halves of unequal width take turns, so an odd number of bits needs no padding bit (which would double the walk).
std::uint64_t feistel(std::uint64_t x, int bits, std::span<const std::uint64_t> keys) {
  const int right_bits = (bits + 1) / 2, left_bits = bits - right_bits;
  const std::uint64_t left_mask = low_bits(left_bits), right_mask = low_bits(right_bits);
  std::uint64_t left = x >> right_bits, right = x & right_mask;
  for (std::size_t round = 0; round < keys.size(); round += 2) {
    left ^= mix(right + keys[round]) & left_mask;
    right ^= mix(left + keys[round + 1]) & right_mask;
  }
  return left << right_bits | right;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::uint64_t permute(std::uint64_t index, std::uint64_t n, std::uint64_t seed, std::uint64_t epoch) {
  LIKENESS_ASSERT(index < n);
  if (n == 1) return 0;
  const int bits = std::bit_width(n - 1);
  std::array<std::uint64_t, kRoundsOfTiny> memory;
  const std::span keys(memory.data(), bits <= kTinyBits ? kRoundsOfTiny : kRounds);
  Rng rng(seed, Purpose::kShuffle, epoch);
  for (auto& key : keys) key = rng.next_u64();
  do index = feistel(index, bits, keys);
  while (index >= n);
  return index;
}

Sampler::Sampler(std::int64_t pictures, SamplerOptions options) : n_(pictures), options_(options) {
  const auto& o = options_;
  if (n_ < 1) fail_data({"set of faces is empty", "sampler", "at least one picture", std::to_string(n_), ""});
  if (o.world < 1 || o.rank < 0 || o.rank >= o.world)
    fail_usage({"rank outside the world", "sampler", "0 <= rank < world",
                "rank " + std::to_string(o.rank) + " of " + std::to_string(o.world), ""});
  if (o.batch < 1) fail_usage({"batch is not positive", "sampler", "at least 1", std::to_string(o.batch), ""});
  if (batches_per_epoch() == 0)
    fail_usage({"fewer pictures than one batch", "sampler",
                std::to_string(o.batch) + " pictures for each of " + std::to_string(o.world) + " ranks",
                std::to_string(n_), "take a smaller batch, or keep incomplete batches"});
  if (o.identities) check_identities();
}

void Sampler::check_identities() const {
  const auto& o = options_;
  const auto refuse = [](const char* what, const std::string& expected, const std::string& got) {
    fail_usage({what, "sampler", expected, got, ""});
  };
  if (!o.shuffle) refuse("identities are drawn in random order only", "shuffle", "stored order");
  if (o.per_identity < 2)
    refuse("too few pictures of an identity in a batch", "2 or more", std::to_string(o.per_identity));
  if (o.batch * o.world % o.per_identity != 0)
    refuse("a batch of all ranks does not hold whole identities",
           "a multiple of " + std::to_string(o.per_identity) + " pictures", std::to_string(o.batch * o.world));
  if (o.identities->identities() < identity_slots())
    refuse("fewer identities with two pictures than a batch needs", std::to_string(identity_slots()) + " or more",
           std::to_string(o.identities->identities()));
}

// Slot s of the epoch is an identity, of which the positions s * per_identity … hold pictures. The identities pass by
// in rounds, each in an order of its own and cut to whole batches, so that no batch holds one twice.
std::int64_t Sampler::at_identity(std::int64_t epoch, std::int64_t position) const {
  const auto& o = options_;
  const std::int64_t count = o.identities->identities(), round_slots = count / identity_slots() * identity_slots();
  const std::int64_t slot = position / o.per_identity, round = slot / round_slots;
  const auto key = static_cast<std::uint64_t>(epoch);
  Rng by_round(o.seed, Purpose::kSample, key, static_cast<std::uint64_t>(round));
  const auto who = static_cast<std::int64_t>(permute(static_cast<std::uint64_t>(slot % round_slots),
                                                     static_cast<std::uint64_t>(count), by_round.next_u64(), key));
  const auto pictures = o.identities->pictures(who);
  const auto turn = static_cast<std::uint64_t>(round * o.per_identity + position % o.per_identity);
  const std::uint64_t place =
      permute(turn % pictures.size(), pictures.size(), o.seed + mix(static_cast<std::uint64_t>(who) + 1), key);
  return pictures[place];
}

std::int64_t Sampler::batches_per_epoch() const {
  const auto& o = options_;
  return o.drop_last ? n_ / o.world / o.batch : ceil_div(ceil_div(n_, o.world), o.batch);
}

std::int64_t Sampler::batch_size(std::int64_t batch) const {
  const auto& o = options_;
  const std::int64_t mine = (n_ - o.rank + o.world - 1) / o.world;  // positions rank, rank+world, … below n
  return std::clamp<std::int64_t>(mine - batch * o.batch, 0, o.batch);
}

std::int64_t Sampler::at(std::int64_t epoch, std::int64_t batch, std::int64_t b) const {
  LIKENESS_ASSERT(0 <= b && b < batch_size(batch) && batch < batches_per_epoch());
  const std::int64_t position = (batch * options_.batch + b) * options_.world + options_.rank;
  if (options_.identities) return at_identity(epoch, position);
  if (!options_.shuffle) return position;
  return static_cast<std::int64_t>(permute(static_cast<std::uint64_t>(position), static_cast<std::uint64_t>(n_),
                                           options_.seed, static_cast<std::uint64_t>(epoch)));
}

}  // namespace likeness::data
