// Products of bf16 operands by the instructions made for them (AVX-512 BF16): two products and two sums at a time for
// each of 16 numbers. A row is stored as pairs of neighbours, a panel as pairs of rows, 32 columns wide as AVX-512's.
// GCC 12 warns about its own intrinsics, which start from a vector that is left undefined on purpose (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "train/head/kernel/kernels.h"

namespace likeness::train::kernel::avx512bf16 {
namespace {

constexpr int kLanes = 32, kRows = 8;
constexpr std::int64_t kPairs = 128;  // of a panel's part: 16 KiB, half of a small L1

std::int64_t pairs_of(std::int64_t n) { return (n + 1) / 2; }
__mmask16 first(std::int64_t n) {
  return n >= 16 ? __mmask16(0xffff) : n <= 0 ? __mmask16(0) : __mmask16((1 << n) - 1);
}

// 16 numbers, rounded, each in the low half of a word.
inline __m512i words(__m512 x) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)); }

// Row r's pairs stand at the front of row r of `to`; the last is padded with 0.
void round(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* to,
           std::int64_t to_stride) {
  for (std::int64_t r = 0; r < n; ++r) {
    const float* from = rows + r * stride;
    float* out = to + r * to_stride;
    for (std::int64_t i = 0; i < width; i += 32) {
      const __m512 low = _mm512_maskz_loadu_ps(first(width - i), from + i),
                   high = _mm512_maskz_loadu_ps(first(width - i - 16), from + i + 16);
      _mm512_mask_storeu_epi32(out + i / 2, first(pairs_of(width - i)), (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }
}

void pack(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* panels) {
  for (std::int64_t begin = 0; begin < width; begin += kLanes)
    for (std::int64_t k = 0; k < n; k += 2)
      for (int half = 0; half < 2; ++half, panels += 16) {
        const __mmask16 columns = first(width - begin - 16 * half);
        const float* from = rows + k * stride + begin + 16 * half;
        const __m512i even = words(_mm512_maskz_loadu_ps(columns, from));
        const __m512i odd = k + 1 < n ? words(_mm512_maskz_loadu_ps(columns, from + stride)) : _mm512_setzero_si512();
        _mm512_storeu_si512(panels, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
      }
}

template <int R>
void block(const float* rows, std::int64_t stride, std::int64_t pairs, const float* panel, float* out,
           std::int64_t out_stride, bool add) {
  __m512 low[R], high[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) low[r] = high[r] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < pairs; ++k, panel += kLanes) {
    const __m512bh a = (__m512bh)_mm512_loadu_si512(panel), b = (__m512bh)_mm512_loadu_si512(panel + 16);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512bh row = (__m512bh)_mm512_set1_ps(rows[r * stride + k]);
      low[r] = _mm512_dpbf16_ps(low[r], row, a);
      high[r] = _mm512_dpbf16_ps(high[r], row, b);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* to = out + r * out_stride;
    if (add)
      low[r] = _mm512_add_ps(low[r], _mm512_loadu_ps(to)), high[r] = _mm512_add_ps(high[r], _mm512_loadu_ps(to + 16));
    _mm512_storeu_ps(to, low[r]);
    _mm512_storeu_ps(to + 16, high[r]);
  }
}

template <int R>
void rest(std::int64_t n, const float* rows, std::int64_t stride, std::int64_t pairs, const float* panel, float* out,
          std::int64_t out_stride, bool add) {
  if constexpr (R > 0) {
    if (n == R)
      block<R>(rows, stride, pairs, panel, out, out_stride, add);
    else
      rest<R - 1>(n, rows, stride, pairs, panel, out, out_stride, add);
  }
}

void products(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t depth, const float* panels,
              std::int64_t panel_count, float* out, std::int64_t out_stride, bool add) {
  const std::int64_t pairs = pairs_of(depth), whole = n - n % kRows;
  for (std::int64_t k = 0; k < pairs; k += kPairs) {
    const std::int64_t part = pairs - k < kPairs ? pairs - k : kPairs;
    for (std::int64_t p = 0; p < panel_count; ++p) {
      const float* panel = panels + (p * pairs + k) * kLanes;
      float* to = out + p * kLanes;
      for (std::int64_t r = 0; r < whole; r += kRows)
        block<kRows>(rows + r * stride + k, stride, part, panel, to + r * out_stride, out_stride, add || k > 0);
      rest<kRows - 1>(n - whole, rows + whole * stride + k, stride, part, panel, to + whole * out_stride, out_stride,
                      add || k > 0);
    }
  }
}

}  // namespace

extern const Bf16Kernels kKernels;
const Bf16Kernels kKernels = {.round = round, .pack = pack, .products = products};

}  // namespace likeness::train::kernel::avx512bf16
