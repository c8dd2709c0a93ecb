// The pictures of a run: one batch of each of its sets at a time, put together as the network is shown them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"

namespace likeness::train {

struct FeedSet {
  const data::FaceSource* source = nullptr;
  std::string name = {};  // before its pictures' names in messages; "" for the set of `data`
  data::LoaderOptions loading;
};

// Valid until the next one.
struct FeedBatch {
  at::Tensor pixels;                     // [B,H,W,3] u8, the sets' pictures one after the other
  std::vector<at::Tensor> labels;        // of each set, i64
  std::vector<std::int64_t> pictures;    // [B], numbered through all sets: picture_name()
  std::int64_t epoch = 0, position = 0;  // of the first set
};

// Not thread-safe. A pure function of sets and place, as data::Loader is.
class Feed {
 public:
  // Begins at batch `position` of `epoch` of the first set; the others, of which every batch takes one batch too, are
  // where `drawn` batches since the beginning of the run have brought them. Errors as data::Loader's.
  Feed(std::vector<FeedSet> sets, std::int64_t epoch, std::int64_t position, std::int64_t drawn);
  const FeedBatch& next();
  std::int64_t batches_per_epoch() const { return loaders_.front()->batches_per_epoch(); }  // of the first set
  // Bad pictures met so far (OnBad::kSkip), and the first one's reason.
  std::int64_t bad_count() const;
  std::string first_bad() const;

 private:
  std::vector<FeedSet> sets_;
  std::vector<std::unique_ptr<data::Loader>> loaders_;
  FeedBatch batch_;
};

// The name of picture i of FeedBatch::pictures, for messages.
std::string picture_name(const std::vector<FeedSet>& sets, std::int64_t i);

}  // namespace likeness::train
