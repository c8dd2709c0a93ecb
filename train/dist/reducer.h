// Gradients averaged over ranks, while backward is still computing the rest of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "train/dist/group.h"

namespace likeness::train {

struct ReducerOptions {
  // Sums of fewer bytes cost more time to begin than to send; larger ones begin later. 4 MiB: half of mbf, 1/40 of r50.
  std::int64_t bucket_bytes = 4 << 20;
  // Sends each gradient rounded to bf16, half the bytes. With W ranks a value is rounded once before it is sent and up
  // to W - 1 times as it is summed, by at most 2^-8 each (8 significant bits): the error of an average is at most
  // W * 2^-8 of the mean of |gradient|, and the same on all ranks.
  bool bf16 = false;
};

// Parameters are laid out in buckets in reverse order, as backward reaches them. When the last gradient of a bucket is
// there, its sum over the ranks begins; in the order of buckets, so that all ranks agree however their backward runs.
// Gradients end up in .grad, views into the bucket with the parameter's own strides (channels-last weights keep
// theirs). A step:
//     reducer.pause(true);   for all micro-batches but the last: backward only adds to .grad
//     reducer.pause(false);  backward of the last one
//     reducer.finish();      .grad holds the average over ranks (of the sum over micro-batches)
//     optimizer, which then lets go of .grad; if it keeps it, backward adds to it as it always does
// A parameter that no gradient reached counts with zeros. No tensor is allocated after construction. With a group of
// one nothing happens at all. Not thread-safe; one per parameter. Batch-norm statistics are no gradients: they stay
// each rank's own.
class Reducer {
 public:
  // Parameters that require a gradient, on one device, the same list on all ranks; dense in memory.
  Reducer(const std::vector<at::Tensor>& parameters, Group& group, ReducerOptions options = {});
  ~Reducer();
  Reducer(const Reducer&) = delete;
  Reducer& operator=(const Reducer&) = delete;

  void pause(bool on) { paused_ = on; }
  // After backward, on every rank. Errors as Group's (so may backward's be).
  void finish();
  std::int64_t bucket_count() const { return static_cast<std::int64_t>(buckets_.size()); }

 private:
  class Hook;
  struct Slot {
    at::Tensor parameter, view;  // the view is its place in the bucket
    std::size_t bucket;
    bool ready = false;
  };
  struct Bucket {
    at::Tensor values, rounded;  // the latter only with bf16
    std::size_t slots = 0, ready = 0;
    std::unique_ptr<Pending> pending;
  };
  void lay_out(const std::vector<at::Tensor>& parameters);
  void arrived(Slot& slot);
  void begin_complete_buckets();

  Group& group_;
  ReducerOptions options_;
  at::Tensor scale_;  // 1 / ranks
  std::vector<Slot> slots_;
  std::vector<Bucket> buckets_;
  std::size_t next_ = 0;  // the first bucket whose sum has not begun
  bool paused_ = false;
};

}  // namespace likeness::train
