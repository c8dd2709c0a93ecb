// Triplet loss, batch hard: every picture against the least similar one of its own identity and the most similar one of
// another in the batch; Hermans et al., "In Defense of the Triplet Loss", 2017, on unit embeddings with the squared
// distance of FaceNet (Schroff et al., CVPR 2015), |a - b|^2 = 2 - 2 cos.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace likeness::train {

// A term on the embeddings beside the classifier's loss.
struct TripletOptions {
  double weight = 0;    // factor on the term; 0: none
  double margin = 0.3;  // of squared distances: insightface's
};

struct Triplets {
  at::Tensor loss;           // 0-dimensional f64: mean of max(0, margin + 2 cos_negative - 2 cos_positive)
  at::Tensor gradient;       // [B,D] of it, by unit
  std::int64_t anchors = 0;  // pictures with one of their own identity and one of another; those the mean is over
};

// unit [B,D] of unit length, of all ranks; labels [B], -1: no part. Of equals the first counts. Loss 0 and gradient 0
// where there is no anchor.
Triplets batch_hard(const at::Tensor& unit, const std::vector<std::int64_t>& labels, double margin);

}  // namespace likeness::train
