// The CUDA form of head/margin_softmax.h, on raw device pointers so that nvcc never sees Torch's headers.
#pragma once

#include <cstdint>

#include "train/head/margin.h"

namespace likeness::train {

// cosines [B,C] and losses [B] on the device, contiguous; labels [B] i64 on the device, in [0,C): a label outside makes
// its loss NaN, which the trainer's guard reports. Asynchronous on `stream` (a cudaStream_t). Returns a cudaError_t.
template <typename T>
int launch_margin_softmax(T* cosines, const std::int64_t* labels, std::int64_t batch, std::int64_t classes,
                          const Margin& margin, T* losses, void* stream);

}  // namespace likeness::train
