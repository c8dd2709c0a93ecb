// Launchers of head.cu, free of framework headers. Return a cudaError_t; `stream` is a cudaStream_t.
#pragma once

#include <cstdint>

#include "train/head/margin.h"
#include "train/head/others.h"

namespace likeness::train {

int launch_margin_points(const double* cosine, std::int64_t batch, const Margin& margin, double* value, double* slope,
                         void* stream);

// cosines [rows, batch]; see tile_op.h. bar may be null, and top where the reduction is binary.
template <typename T>
int launch_tile_online(const T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                       T* top, double* sum, void* stream);
template <typename T>
int launch_tile_binary(const T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                       double* sum, double* slope, void* stream);
template <typename T>
int launch_tile_gradient(T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                         const T* top, const T* factor, void* stream);

}  // namespace likeness::train
