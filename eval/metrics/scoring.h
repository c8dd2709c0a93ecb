// The score of a pair: one dot product in double with one fixed order of summation, the same on every machine and for every
// caller. Whatever is computed faster (f32 matrix products) is checked against it where a decision could depend on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/embeddings.h"

namespace likeness::eval {

// sum(a[k] * b[k]) over f32 values, products and sums in double: eight interleaved partial sums, added pairwise at the end.
// The AVX2 and the portable variant give the same bits (no fused multiply-add).
double dot(const float* a, const float* b, std::size_t n);
// sum((a/|a| - b/|b|)^2), both normalised in double first; a zero vector stays zero.
double squared_distance(const float* a, const float* b, std::size_t n);

// N embeddings ready to be compared by cosine. Refers to the archive's memory. Thread-safe for reading.
class Cosines {
 public:
  // kData naming archive row and key: an embedding that is not finite, or zero although its picture is not marked failed.
  Cosines(const EmbeddingArchive& archive, const std::string& where);
  // The same over [N,D] numbers that lie elsewhere, mapped for instance; key_of(row) names a row in messages. `failed` [N].
  Cosines(std::span<const float> embeddings, std::int64_t dimension, std::span<const std::uint8_t> failed, const std::string& where,
          const std::function<std::string(std::size_t row)>& key_of, int threads);

  std::int64_t size() const { return static_cast<std::int64_t>(norms_.size()); }
  std::int64_t dimension() const { return static_cast<std::int64_t>(dimension_); }
  bool failed(std::int64_t i) const { return norms_[static_cast<std::size_t>(i)] == 0; }
  const float* row(std::int64_t i) const { return embeddings_.data() + static_cast<std::size_t>(i) * dimension_; }
  double norm(std::int64_t i) const { return norms_[static_cast<std::size_t>(i)]; }

  // Cosine in [-1, 1]; NaN when either picture failed. Symmetric.
  double score(std::int64_t i, std::int64_t j) const { return score(i, *this, j); }
  double score(std::int64_t i, const Cosines& other, std::int64_t j) const;

 private:
  std::span<const float> embeddings_;
  std::size_t dimension_ = 0;
  std::vector<double> norms_;  // 0 for failed pictures
};

}  // namespace likeness::eval
