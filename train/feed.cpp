#include "train/feed.h"

#include <torch/torch.h>

namespace likeness::train {

std::string picture_name(const std::vector<FeedSet>& sets, std::int64_t i) {
  for (const FeedSet& s : sets) {
    if (i < s.source->size()) return s.name.empty() ? s.source->key(i) : s.name + ": " + s.source->key(i);
    i -= s.source->size();
  }
  return "picture " + std::to_string(i);
}

Feed::Feed(std::vector<FeedSet> sets, std::int64_t epoch, std::int64_t position, std::int64_t drawn)
    : sets_(std::move(sets)) {
  for (const FeedSet& s : sets_) {
    if (!loaders_.empty()) {
      const std::int64_t per_epoch = data::Sampler(s.source->size(), s.loading.sampler).batches_per_epoch();
      epoch = drawn / per_epoch, position = drawn % per_epoch;
    }
    loaders_.push_back(std::make_unique<data::Loader>(*s.source, s.loading, epoch, position));
  }
}

const FeedBatch& Feed::next() {
  std::vector<at::Tensor> pixels;
  batch_.labels.clear(), batch_.pictures.clear();
  std::int64_t before = 0;  // pictures of the sets so far
  for (std::size_t s = 0; s < sets_.size(); ++s) {
    const data::Batch& b = loaders_[s]->next();
    const FaceGeometry& g = sets_[s].loading.geometry;
    pixels.push_back(at::from_blob(b.pixels, {b.size, g.height, g.width, 3}, at::kByte));
    batch_.labels.push_back(at::from_blob(b.labels, {b.size}, at::kLong));
    for (std::int64_t i = 0; i < b.size; ++i) batch_.pictures.push_back(before + b.index[i]);
    if (s == 0) batch_.epoch = b.epoch, batch_.position = b.position;
    before += sets_[s].source->size();
  }
  batch_.pixels = pixels.size() == 1 ? pixels.front() : at::cat(pixels);
  return batch_;
}

std::int64_t Feed::bad_count() const {
  std::int64_t count = 0;
  for (const auto& loader : loaders_) count += loader->bad_count();
  return count;
}

std::string Feed::first_bad() const {
  for (const auto& loader : loaders_)
    if (loader->bad_count() > 0) return loader->bad_list().front();
  return {};
}

}  // namespace likeness::train
