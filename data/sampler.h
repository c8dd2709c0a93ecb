// Which picture is next: a keyed bijection over [0, N), so memory is O(1), any position is reached at once, and
// (epoch, position) is the whole resume state.
#pragma once

#include <cstdint>

namespace likeness::data {

struct SamplerOptions {
  std::uint64_t seed = 0;
  int rank = 0, world = 1;     // rank r takes positions r, r+world, …
  std::int64_t batch = 1;      // per rank
  bool shuffle = true;
  bool drop_last = true;       // the last, incomplete batch of an epoch is left out, as the field's trainers do
};

class Sampler {
 public:
  Sampler(std::int64_t pictures, SamplerOptions options);
  std::int64_t batches_per_epoch() const;
  // Picture index of slot b of batch `batch` in `epoch`, on this rank. b < size of that batch.
  std::int64_t at(std::int64_t epoch, std::int64_t batch, std::int64_t b) const;
  std::int64_t batch_size(std::int64_t batch) const;  // == options.batch except for a kept last batch

 private:
  std::int64_t n_;
  SamplerOptions options_;
};

// Feistel network with cycle walking: a permutation of [0, n) keyed by (seed, epoch).
std::uint64_t permute(std::uint64_t index, std::uint64_t n, std::uint64_t seed, std::uint64_t epoch);

}  // namespace likeness::data
