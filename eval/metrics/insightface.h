// The accuracy that InsightFace's verification.py prints, by its own rules: bit-compatible counts, thresholds and folds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace likeness::eval {

// Squared Euclidean distances [P] of L2-normalised embeddings: sum((a/|a| - b/|b|)^2) = 2(1 - cos), 0..4, all in double.
// Pair p is rows `first[p]` and `second[p]` of `embeddings` [N,D]; a zero row stays zero. Independent of `threads`.
std::vector<double> squared_distances(std::span<const float> embeddings, std::int64_t dimension,
                                      std::span<const std::int64_t> first, std::span<const std::int64_t> second, int threads);

// One fold: its threshold is found on all other folds.
struct InsightfaceFold {
  std::int64_t begin = 0, end = 0;     // pairs [begin, end)
  int best_index = 0;                  // of the grid i * 0.01, i = 0..399; the first with the largest accuracy
  std::int64_t correct = 0;            // pairs of this fold decided rightly by d < best_index * 0.01
  double accuracy = 0;
  double val_threshold = 0;            // distance at which the other folds have FAR 1e-3: see val below
  double val = 0, far = 0;             // of this fold at val_threshold
};

struct InsightfaceResult {
  std::vector<InsightfaceFold> folds;
  double accuracy_mean = 0, accuracy_std = 0;  // mean and population standard deviation over the folds
  double val_mean = 0, val_std = 0, far_mean = 0;
  std::vector<double> tpr, fpr;                // [400] mean over folds of the held-out rates at grid i * 0.01
};

// `evaluate()` of recognition/arcface_torch/eval/verification.py:
//   accept iff d < t (strict); fold f is the pairs [ends[f-1], ends[f]), by default contiguous_folds();
//   val: grid i * 0.001 (4000 points), threshold by linear interpolation of the training FAR at `far_target` between the last
//   grid point whose FAR is <= target and its successor, 0 when the grid never reaches the target.
// Every fold needs both classes: kData naming the fold that lacks one (the reference divides by zero there). `where` names the
// trial list in messages.
InsightfaceResult insightface_folds(std::span<const double> distances, std::span<const std::uint8_t> genuine,
                                    std::span<const std::int64_t> ends, double far_target, const std::string& where);

// Ends of K contiguous slices of P pairs without shuffling, the first P mod K one pair longer (scikit-learn's KFold).
std::vector<std::int64_t> contiguous_folds(std::int64_t pairs, int folds);

}  // namespace likeness::eval
