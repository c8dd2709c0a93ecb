#include "model/graph/interpreter_kernel.h"

namespace likeness::model {
namespace {

// The compiler splits this into as many registers as the target needs.
using Vector = double __attribute__((vector_size(kPanel * sizeof(double))));

// Rows kept in registers at once: accumulators of all rows plus one panel column must fit the register file.
template <int kRows>
__attribute__((always_inline)) inline void multiply_rows(const PanelProduct& p, std::int64_t row) {
  Vector sum[kRows];
  const double* weights = p.weights + row * p.depth;
  for (int r = 0; r < kRows; ++r) sum[r] = Vector{} + (p.bias ? p.bias[row + r] : 0.0);
  for (std::int64_t i = 0; i < p.depth; ++i) {
    const Vector x = *reinterpret_cast<const Vector*>(p.panel + i * kPanel);
    for (int r = 0; r < kRows; ++r) sum[r] += weights[r * p.depth + i] * x;
  }
  for (int r = 0; r < kRows; ++r) {
    double* out = p.out + (row + r) * p.out_stride;
    for (int j = 0; j < p.pixels; ++j) out[j] = sum[r][j];
  }
}

template <int kRows>
__attribute__((always_inline)) inline void multiply_all(const PanelProduct& p) {
  std::int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) multiply_rows<kRows>(p, row);
  for (; row < p.rows; ++row) multiply_rows<1>(p, row);
}

void multiply_scalar(const PanelProduct& p) { multiply_all<2>(p); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void multiply_avx2(const PanelProduct& p) { multiply_all<4>(p); }
__attribute__((target("avx512f"))) void multiply_avx512(const PanelProduct& p) { multiply_all<8>(p); }
#endif

struct Variants {
  MultiplyVariant list[3];
  int count = 0;
  Variants() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) list[count++] = {"avx512", multiply_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) list[count++] = {"avx2", multiply_avx2};
#endif
    list[count++] = {"scalar", multiply_scalar};
  }
};

const Variants& variants() {
  static const Variants found;
  return found;
}

}  // namespace

const MultiplyVariant* multiply_variants(int* count) {
  *count = variants().count;
  return variants().list;
}

void multiply(const PanelProduct& product) { variants().list[0].run(product); }

}  // namespace likeness::model
