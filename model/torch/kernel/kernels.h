// Vectorised inner loops over channels-last feature maps, one set per instruction set, chosen at run time.
//
// All work on rows of C contiguous channels and are called for a range of rows by one thread; the callers (norm.cpp,
// depthwise.cpp) share out fixed ranges, so results do not depend on the number of threads. No framework's header is
// included, and no function of the standard library instantiated, in the sources compiled for a newer instruction set:
// the linker could otherwise keep their copy for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.h"
#include "model/torch/kernel/storage.h"

namespace likeness::model::kernel {

// Per channel constants of a batch norm [C]; see norm_math.h. `slope` null: no PReLU.
template <class A>
struct NormConstants {
  const A* mean;
  const A* scale;
  const A* beta;
  const A* slope;
};

template <class T>
struct NormKernels {
  using A = ComputeT<T>;
  // sum[c] = sum of d, square[c] = sum of d^2 with d = x - shift[c], over `rows` rows. A shift near the mean keeps the
  // difference of squares exact enough in f32. Partial sums over kSumRows rows are of type A, their sum is f64.
  void (*moments)(const T* x, std::int64_t rows, std::int64_t channels, const A* shift, double* sum, double* square);
  // z = prelu(norm(x)) + residual; residual may be null.
  void (*forward)(const T* x, const T* residual, T* z, std::int64_t rows, std::int64_t channels,
                  NormConstants<A> constants);
  // Sums over rows of du, du * d and, with a slope, the slope's gradient (else untouched).
  void (*reduce)(const T* x, const T* dz, std::int64_t rows, std::int64_t channels, NormConstants<A> constants,
                 double* sum, double* product, double* slope);
  // dx from dz, with b and c as in norm_math.h.
  void (*backward)(const T* x, const T* dz, T* dx, std::int64_t rows, std::int64_t channels, NormConstants<A> constants,
                   const A* b, const A* c);
};

// Convolutions with one or two channels per group, pixel by pixel (group_convolution.cpp finds the pixels and the
// taps).
template <class T>
struct GroupKernels {
  using A = ComputeT<T>;
  // out[c] = sum over taps t of x[t][c] * own[t][c] (+ x[t][c^1] * twin[t][c]).
  void (*gather)(int taps, const T* const* x, const A* const* own, const A* const* twin, T* out, std::int64_t channels);
  // Adds to own[t * C + c] the sum over i < pixels of dy[i * C + c] * x[i * step + t * C + c] (and to twin with x's
  // c^1).
  void (*products)(int taps, const T* dy, const T* x, std::int64_t step, std::int64_t pixels, std::int64_t channels,
                   double* own, double* twin);
};

// Rows whose partial sums are kept in A before they go to f64: the error stays near that of a sum of 64 numbers.
inline constexpr std::int64_t kSumRows = 64;

struct Kernels {
  NormKernels<float> norm_f32;
  NormKernels<double> norm_f64;
  NormKernels<BF16> norm_bf16;
  // [0]: one channel per group (twin unused), [1]: two, where the number of channels is even.
  GroupKernels<float> group_f32[2];
  GroupKernels<double> group_f64[2];
  GroupKernels<BF16> group_bf16[2];
  void (*to_f32)(const BF16* in, float* out, std::int64_t n);
  void (*to_bf16)(const float* in, BF16* out, std::int64_t n);
};

template <class T>
const NormKernels<T>& norm_kernels(const Kernels& k) {
  if constexpr (sizeof(T) == 8)
    return k.norm_f64;
  else if constexpr (sizeof(T) == 4)
    return k.norm_f32;
  else
    return k.norm_bf16;
}

template <class T>
const GroupKernels<T>& group_kernels(const Kernels& k, bool twin) {
  if constexpr (sizeof(T) == 8)
    return k.group_f64[twin];
  else if constexpr (sizeof(T) == 4)
    return k.group_f32[twin];
  else
    return k.group_bf16[twin];
}

const Kernels& kernels(Isa isa);  // for tests; only where supported
const Kernels& kernels();         // the fastest that this CPU supports

}  // namespace likeness::model::kernel
