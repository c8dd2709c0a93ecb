// The interpreter's inner product: a block of output channels times a panel of pixels, in f64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace likeness::model {

inline constexpr int kPanel = 8;  // pixels in a panel: one 512-bit register of doubles

// Room for a panel. Panels are read as whole vectors, so they are aligned to one.
struct Panel {
  explicit Panel(std::int64_t depth) {
    const std::size_t bytes = static_cast<std::size_t>(depth) * kPanel * sizeof(double);
    data = static_cast<double*>(::operator new(bytes, std::align_val_t(64)));
  }
  ~Panel() { ::operator delete(data, std::align_val_t(64)); }
  Panel(const Panel&) = delete;
  Panel& operator=(const Panel&) = delete;
  double* data;
};

// out[r * out_stride + j] = bias[r] + sum over i of weights[r * depth + i] * panel[i * kPanel + j]
// for r in [0, rows) and j in [0, pixels); bias may be null. Columns of the panel beyond `pixels` are computed and
// dropped. Terms are added in the order of i whatever the machine; only fused multiply-add rounds differently (1e-16
// per term).
struct PanelProduct {
  const double* weights;
  const double* panel;
  const double* bias;
  std::int64_t depth, rows, out_stride;
  int pixels;
  double* out;
};
void multiply(const PanelProduct& product);

// The variants this machine can run, best first: "avx512", "avx2", "scalar". multiply() uses the first.
using Multiply = void (*)(const PanelProduct&);
struct MultiplyVariant {
  const char* name;
  Multiply run;
};
const MultiplyVariant* multiply_variants(int* count);

}  // namespace likeness::model
