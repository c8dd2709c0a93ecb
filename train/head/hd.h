// Marks functions that are compiled for the CPU and, by nvcc, for the GPU as well: one formula, two machines.
#pragma once

#if defined(__CUDACC__)
#define LIKENESS_HD __host__ __device__
#else
#define LIKENESS_HD
#endif
