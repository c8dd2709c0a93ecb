#include "eval/metrics/scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

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
    : embeddings_(archive.embeddings), dimension_(static_cast<std::size_t>(archive.dimension)), norms_(archive.size()) {
  LIKENESS_ASSERT(dimension_ > 0 && embeddings_.size() == norms_.size() * dimension_);
  auto refuse = [&](std::size_t i, const char* what, const char* expected, const char* got) {
    fail_data({what, where + ", row " + std::to_string(i) + " (" + archive.keys[i] + ")", expected, got,
               "embed the set again, or mark the picture as failed"});
  };
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    if (!archive.failed.empty() && archive.failed[i]) continue;
    const double squares = dot(row(static_cast<std::int64_t>(i)), row(static_cast<std::int64_t>(i)), dimension_);
    if (!std::isfinite(squares)) refuse(i, "an embedding is not finite", "finite numbers", "NaN or infinity");
    if (squares == 0) refuse(i, "an embedding is zero", "a length above 0", "0");
    norms_[i] = std::sqrt(squares);
  }
}

double Cosines::score(std::int64_t i, std::int64_t j) const {
  if (failed(i) || failed(j)) return std::numeric_limits<double>::quiet_NaN();
  // Products of f32 values are exact in double; a vector with itself may still come out one rounding above 1.
  return std::clamp(dot(row(i), row(j), dimension_) / (norm(i) * norm(j)), -1.0, 1.0);
}

}  // namespace likeness::eval
