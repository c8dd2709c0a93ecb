// Which picture is next: a keyed bijection over [0, N), so memory is O(1), any position is reached at once, and
// (epoch, position) is the whole resume state.
#pragma once

#include <cstdint>
#include <memory>

#include "data/identity_index.h"

namespace likeness::data {

struct SamplerOptions {
  std::uint64_t seed = 0;
  int rank = 0, world = 1;  // rank r takes positions r, r+world, … of the epoch's order
  std::int64_t batch = 1;   // per rank
  bool shuffle = true;      // false: pictures in stored order
  bool drop_last = true;    // the last, incomplete batch of an epoch is left out, as the field's trainers do
  // Identities are drawn, and `per_identity` pictures of each, for losses that compare pictures of one person; null:
  // every picture once an epoch. A batch of all ranks holds batch * world / per_identity identities, all different. An
  // epoch has as many batches as without; identities pass by again and again in another order, and of each its pictures
  // in turn, again from the first where they are fewer.
  std::shared_ptr<const IdentityIndex> identities = {};
  std::int64_t per_identity = 0;
};

// Pure and immutable: safe from many threads. Batch k of all ranks together holds positions [k·batch·world,
// (k+1)·batch·world), so the same pictures meet in a step for any split of batch·world into ranks.
class Sampler {
 public:
  // kData: no pictures. kUsage: rank outside [0, world), batch < 1, (drop_last) fewer pictures than one batch of every
  // rank, or with identities: not shuffled, per_identity < 2, a batch of all ranks that it does not divide, or fewer
  // identities than such a batch needs.
  Sampler(std::int64_t pictures, SamplerOptions options);
  // The same on every rank, so that ranks stay in step: ⌊⌊N/world⌋/batch⌋ with drop_last, else ⌈⌈N/world⌉/batch⌉.
  std::int64_t batches_per_epoch() const;
  // Picture index of slot b of batch `batch` in `epoch`, on this rank. b < size of that batch.
  std::int64_t at(std::int64_t epoch, std::int64_t batch, std::int64_t b) const;
  // options.batch, except for a kept last batch, where ranks may differ by one and the last rank may even get none.
  std::int64_t batch_size(std::int64_t batch) const;

 private:
  void check_identities() const;
  std::int64_t identity_slots() const { return options_.batch * options_.world / options_.per_identity; }  // per batch
  std::int64_t at_identity(std::int64_t epoch, std::int64_t position) const;
  std::int64_t n_;
  SamplerOptions options_;
};

// A permutation of [0, n) keyed by (seed, epoch): a Feistel network over the smallest power of two >= n, walked along
// its cycle until it is back inside [0, n) (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002): under
// two steps on average. index < n. The order is part of what a checkpoint resumes: it never changes.
std::uint64_t permute(std::uint64_t index, std::uint64_t n, std::uint64_t seed, std::uint64_t epoch);

}  // namespace likeness::data
