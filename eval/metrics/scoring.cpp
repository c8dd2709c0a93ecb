#include "eval/metrics/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/thread_pool.h"

// The loops below are plain C++ that the compiler turns into vectors; the clones are chosen when the program starts. AVX2
// alone does not enable fused multiply-add, so that both variants round alike.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define LIKENESS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define LIKENESS_CLONES
#endif

namespace likeness::eval {
namespace {

constexpr std::size_t kLanes = 8;

inline double total(const double* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace

LIKENESS_CLONES double dot(const float* a, const float* b, std::size_t n) {
  double lanes[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(a[k + l]) * static_cast<double>(b[k + l]);
  for (; k < n; ++k) lanes[k % kLanes] += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return total(lanes);
}

namespace {

LIKENESS_CLONES double distance_of(const float* a, double a_norm, const float* b, double b_norm, std::size_t n) {
  double lanes[kLanes] = {};
  std::size_t k = 0;
  for (; k + kLanes <= n; k += kLanes)
    for (std::size_t l = 0; l < kLanes; ++l) {
      const double d = static_cast<double>(a[k + l]) / a_norm - static_cast<double>(b[k + l]) / b_norm;
      lanes[l] += d * d;
    }
  for (; k < n; ++k) {
    const double d = static_cast<double>(a[k]) / a_norm - static_cast<double>(b[k]) / b_norm;
    lanes[k % kLanes] += d * d;
  }
  return total(lanes);
}

}  // namespace

double squared_distance(const float* a, const float* b, std::size_t n) {
  const double a2 = dot(a, a, n), b2 = dot(b, b, n);
  return distance_of(a, a2 > 0 ? std::sqrt(a2) : 1, b, b2 > 0 ? std::sqrt(b2) : 1, n);
}

Cosines::Cosines(const EmbeddingArchive& archive, const std::string& where)
    : Cosines(archive.embeddings, archive.dimension, archive.failed, where, [&](std::size_t row) { return archive.keys[row]; }, 1) {
  LIKENESS_ASSERT(size() == static_cast<std::int64_t>(archive.size()));
}

Cosines::Cosines(std::span<const float> embeddings, std::int64_t dimension, std::span<const std::uint8_t> failed, const std::string& where,
                 const std::function<std::string(std::size_t row)>& key_of, int threads)
    : embeddings_(embeddings), dimension_(static_cast<std::size_t>(dimension)) {
  LIKENESS_ASSERT(dimension > 0 && (failed.empty() || embeddings.size() == failed.size() * dimension_));
  norms_.resize(embeddings.size() / dimension_);
  parallel_for(norms_.size(), 4096, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (!failed.empty() && failed[i]) continue;
      const float* x = row(static_cast<std::int64_t>(i));
      norms_[i] = std::sqrt(dot(x, x, dimension_));
    }
  });
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    if ((std::isfinite(norms_[i]) && norms_[i] > 0) || (!failed.empty() && failed[i])) continue;
    const bool zero = norms_[i] == 0;
    fail_data({zero ? "an embedding is zero" : "an embedding is not finite", where + ", row " + std::to_string(i) + " (" + key_of(i) + ")",
               zero ? "a length above 0" : "finite numbers", zero ? "0" : "NaN or infinity",
               "embed the set again, or mark the picture as failed"});
  }
}

double Cosines::score(std::int64_t i, const Cosines& other, std::int64_t j) const {
  if (failed(i) || other.failed(j)) return std::numeric_limits<double>::quiet_NaN();
  // Products of f32 values are exact in double; a vector with itself may still come out one rounding above 1.
  return std::clamp(dot(row(i), other.row(j), dimension_) / (norm(i) * other.norm(j)), -1.0, 1.0);
}

}  // namespace likeness::eval
