// What there is to say about a GPU, free of framework and CUDA headers.
#pragma once

#include <cstdint>

namespace likeness::train {

struct CudaCard {
  char name[256];
  std::int64_t memory;  // bytes
  int major, minor;     // compute capability
  int processors;       // streaming multiprocessors
  int driver, runtime;  // CUDA versions, as 13000
};

// The name under which liblikeness_cuda.so exports  int (int index, CudaCard*): a cudaError_t, 0 for none.
inline constexpr const char* kCudaCard = "likeness_cuda_card";

}  // namespace likeness::train
