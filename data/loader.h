// Worker threads that decode straight into preallocated batches, in sampler order, with results that do not depend on
// the number of workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/crop.h"
#include "data/face_source.h"
#include "data/sampler.h"

namespace likeness::data {

// kSkip: a picture that cannot be decoded is counted and listed, and its slot repeats the nearest earlier good slot of
// its batch (pixels, label and index), or the batch's first good one where there is no earlier.
enum class OnBad { kFail, kSkip };

struct LoaderOptions {
  FaceGeometry geometry;  // what the network wants
  SamplerOptions sampler;
  int workers = 1;    // decoding threads; 1 keeps up with two training cores at 112 x 112
  int prefetch = 4;   // batches decoded ahead
  double flip = 0.5;  // probability of a horizontal flip, drawn by Rng(sampler.seed, kAugment, epoch, index)
  OnBad on_bad = OnBad::kFail;
  // Memory for one batch's pixels; pinned memory when CUDA is there. Null: plain aligned memory. Called prefetch + 1
  // times.
  std::function<std::shared_ptr<std::uint8_t>(std::size_t bytes)> allocate;
};

// pixels [B,H,W,3] u8, labels [B], index [B]; valid until the next call of next(). Labels are the source's own, so -1
// is a picture without one. A picture that shows twice was bad: see OnBad::kSkip.
struct Batch {
  std::int64_t size = 0, epoch = 0, position = 0;  // position: batch number within the epoch
  std::uint8_t* pixels = nullptr;
  std::int64_t* labels = nullptr;
  std::int64_t* index = nullptr;
};

// Batch (epoch, position) is a pure function of source and options: the same for any number of workers, any prefetch,
// and any batch the loader was started at. Used from one thread.
class Loader {
 public:
  // Starts at batch `position` of `epoch` (resume); position == batches_per_epoch() is the next epoch's first. The
  // source must outlive the loader. kUsage: options out of range; kData: pictures cannot be brought to the geometry
  // (crop.h).
  Loader(const FaceSource& source, LoaderOptions options, std::int64_t epoch = 0, std::int64_t position = 0);
  ~Loader();  // stops the workers, also in the middle of an epoch
  // The next batch; runs on into the next epoch for ever. A worker's error is rethrown here, in order: every batch
  // before it is delivered, then the error of its lowest bad slot, as often as one asks.
  const Batch& next();
  std::int64_t batches_per_epoch() const;
  // Bad slots in the batches delivered so far, and the reasons of the first 100, in order (OnBad::kSkip).
  std::int64_t bad_count() const;
  std::vector<std::string> bad_list() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace likeness::data
