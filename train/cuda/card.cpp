#include "train/cuda/card.h"

#include <cuda_runtime_api.h>

#include <cstring>

extern "C" __attribute__((visibility("default"))) int likeness_cuda_card(int index, likeness::train::CudaCard* card) {
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) return error;
  static_assert(sizeof card->name == sizeof properties.name);
  std::memcpy(card->name, properties.name, sizeof card->name);
  card->memory = static_cast<std::int64_t>(properties.totalGlobalMem);
  card->major = properties.major;
  card->minor = properties.minor;
  card->processors = properties.multiProcessorCount;
  if (const cudaError_t error = cudaDriverGetVersion(&card->driver); error != cudaSuccess) return error;
  return cudaRuntimeGetVersion(&card->runtime);
}
