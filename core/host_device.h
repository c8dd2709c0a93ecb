// Marks functions that are compiled for the CPU and, by nvcc, for the GPU as well: one formula, two machines.
#pragma once

// LIKENESS_INLINE_HD is also inlined into every caller, so that each instruction set's loops get a copy of their own.
#if defined(__CUDACC__)
#define LIKENESS_HD __host__ __device__
#define LIKENESS_INLINE_HD __host__ __device__ __forceinline__
#else
#define LIKENESS_HD
#define LIKENESS_INLINE_HD inline __attribute__((always_inline))
#endif
