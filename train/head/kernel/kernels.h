// The classifier's inner loops on the CPU, one set per instruction set, chosen at run time: the matrix product of a
// tile of classes, the softmax over its columns, and the update of its rows while they are in the cache.
//
// A tile holds the cosines of some classes (rows) with all samples (columns, padded to a multiple of `lanes`), so that
// a vector holds one class and several samples, and no sum runs across a vector. Called by one thread for its tiles. No
// framework's header is included, and no function of the standard library instantiated, in the sources compiled for a
// newer instruction set: the linker could otherwise keep their copy for everybody.
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "train/head/others.h"
#include "train/optim/row_rule.h"

namespace likeness::train::kernel {

// A cosine below this says that the class is not there for the sample: its own class, whose logit has a margin and is
// added apart, and the sub-centres that lost.
inline constexpr double kAbsent = -4;

template <class T>
struct HeadKernels {
  int lanes;  // numbers in a row of a panel
  int group;  // rows that one inner loop works on: a tile of a multiple of it wastes nothing

  // out[r * out_stride + p * lanes + l] = (or += where `add`) sum over k of rows[r * stride + k] * panels[(p * depth +
  // k) * lanes + l], for n rows and `panel_count` panels of depth x lanes.
  void (*products)(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t depth, const T* panels,
                   std::int64_t panel_count, T* out, std::int64_t out_stride, bool add);
  // rows [n, width] -> panels [ceil(width / lanes)][n][lanes], padded with 0.
  void (*pack)(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t width, T* panels);
  // inverse[r] = 1 / max(|rows[r]|, 1e-12).
  void (*inverse_norms)(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t width, T* inverse);
  // tile[r][b] *= factor[r].
  void (*scale_rows)(T* tile, std::int64_t stride, std::int64_t n, const T* factor);

  // Carries one tile's logits into each column's running maximum and sum of exponentials: on return sum[b] is the sum
  // over all tiles so far of exp(logit - top[b]). Start with top = -inf, sum = 0.
  void (*online)(const T* tile, std::int64_t stride, std::int64_t n, const Others<T>& others, const T* bar, T* top,
                 double* sum);
  // tile[r][b] = factor[b] * exp(logit - top[b]) * d logit / d (scale * cosine), in place; 0 for absent classes.
  void (*gradient)(T* tile, std::int64_t stride, std::int64_t n, const Others<T>& others, const T* bar, const T* top,
                   const T* factor);
  // Reduction::kBinary: adds each column's softplus(logit) to sum, and their derivatives by the bias to slope.
  void (*binary)(const T* tile, std::int64_t stride, std::int64_t n, const Others<T>& others, const T* bar, double* sum,
                 double* slope);
  // As gradient, with sigmoid(logit) for the exponential; top is not looked at.
  void (*binary_gradient)(T* tile, std::int64_t stride, std::int64_t n, const Others<T>& others, const T* bar,
                          const T* top, const T* factor);
  // out[b][r] = tile[r][b] * factor[r]; columns as rows, r < n contiguous.
  void (*turn)(const T* tile, std::int64_t stride, std::int64_t n, std::int64_t columns, const T* factor, T* out,
               std::int64_t out_stride);

  // g, the gradient of the loss by the unit row w / |w|, becomes its gradient by w: (g - u (u.g)) / |w| with u = w /
  // |w|.
  void (*back_through_norm)(T* g, const T* w, T inverse, std::int64_t width);
  // One step of the optimizer on one row; g null is a gradient of 0.
  void (*sgd)(T* w, T* buffer, const T* g, std::int64_t width, const RowRule& rule);
  void (*adam)(T* w, T* first, T* second, const T* g, std::int64_t width, const RowRule& rule);
};

// Products whose operands are rounded to bf16 (to nearest, ties to even) and whose sums are in f32. Operands have the
// set's own form, which only its own functions read and which fits where the f32 numbers would be; panels of an odd
// number of rows may need one row more. Arguments as above.
struct Bf16Kernels {
  // rows [n, width] -> a form of them, row r at to + r * to_stride; may be in place.
  void (*round)(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* to,
                std::int64_t to_stride);
  void (*pack)(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* panels);
  // Of rows that round() made and panels that pack() made.
  void (*products)(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t depth, const float* panels,
                   std::int64_t panel_count, float* out, std::int64_t out_stride, bool add);
};

struct Kernels {
  HeadKernels<float> f32;
  HeadKernels<double> f64;
  Bf16Kernels bf16;  // by f32 arithmetic: the same values, no faster
};

template <class T>
const HeadKernels<T>& head_kernels(const Kernels& k) {
  if constexpr (sizeof(T) == 8)
    return k.f64;
  else
    return k.f32;
}

const Kernels& kernels(Isa isa);     // for tests; only where supported
const Kernels& kernels();            // the fastest that this CPU supports
const Bf16Kernels* hardware_bf16();  // null where this CPU has no instructions for it
const Bf16Kernels& bf16_kernels();   // those, or those of kernels(); panels are as wide as kernels().f32's

}  // namespace likeness::train::kernel
