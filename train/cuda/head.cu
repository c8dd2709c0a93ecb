// The classifier's epilogues: fixed margins, and a tile's softmax and gradient. The per-element formulas are those of
// the CPU, compiled from the same headers.
#include <cuda_runtime.h>

#include "train/cuda/head.h"
#include "train/head/tile_math.h"

namespace likeness::train {
namespace {

constexpr int kWide = 32, kTall = 32;  // a block is 32 samples (neighbours in memory) by 32 rows in turn

__global__ void margin_points(const double* cosine, std::int64_t batch, Margin margin, double* value, double* slope) {
  const std::int64_t b = blockIdx.x * static_cast<std::int64_t>(blockDim.x) + threadIdx.x;
  if (b >= batch) return;
  const double c = cosine[b];
  const MarginPoint<double> p = apply_margin(c < -1 ? -1 : (c > 1 ? 1 : c), margin);
  value[b] = p.value;
  slope[b] = p.slope;
}

// Every thread carries a maximum and a sum down its rows; the block's 32 are joined in a fixed order, so the result
// does not depend on timing.
template <typename T>
__global__ void tile_online(const T* cosines, std::int64_t rows, std::int64_t batch, Others<T> others, const T* bar,
                            T* top, double* sum) {
  __shared__ T tops[kTall][kWide];
  __shared__ double sums[kTall][kWide];
  const std::int64_t b = blockIdx.x * static_cast<std::int64_t>(kWide) + threadIdx.x;
  const T none = -T(INFINITY);
  T highest = none;
  double total = 0;
  if (b < batch) {
    const T own_bar = bar ? bar[b] : T(0);
    for (std::int64_t r = threadIdx.y; r < rows; r += kTall) {
      const T c = cosines[r * batch + b];
      if (absent(c)) continue;
      const T logit = tile_logit(c, own_bar, others);
      if (logit > highest) {
        total *= exp(static_cast<double>(highest - logit));
        highest = logit;
      }
      total += exp(logit - highest);
    }
  }
  tops[threadIdx.y][threadIdx.x] = highest;
  sums[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y != 0 || b >= batch) return;
  T joined = top[b];
  for (int i = 0; i < kTall; ++i) joined = tops[i][threadIdx.x] > joined ? tops[i][threadIdx.x] : joined;
  if (joined == none) return;
  double result = sum[b] * exp(static_cast<double>(top[b] - joined));
  for (int i = 0; i < kTall; ++i)
    result += sums[i][threadIdx.x] * exp(static_cast<double>(tops[i][threadIdx.x] - joined));
  top[b] = joined;
  sum[b] = result;
}

// Plain sums down the rows, joined in a fixed order.
template <typename T>
__global__ void tile_binary(const T* cosines, std::int64_t rows, std::int64_t batch, Others<T> others, const T* bar,
                            double* sum, double* slope) {
  __shared__ double sums[kTall][kWide], slopes[kTall][kWide];
  const std::int64_t b = blockIdx.x * static_cast<std::int64_t>(kWide) + threadIdx.x;
  double total = 0, by_bias = 0;
  if (b < batch) {
    const T own_bar = bar ? bar[b] : T(0);
    for (std::int64_t r = threadIdx.y; r < rows; r += kTall) {
      const T c = cosines[r * batch + b];
      if (absent(c)) continue;
      const T logit = tile_logit(c, own_bar, others);
      total += softplus(logit);
      by_bias += sigmoid(logit);
    }
  }
  sums[threadIdx.y][threadIdx.x] = total;
  slopes[threadIdx.y][threadIdx.x] = by_bias;
  __syncthreads();
  if (threadIdx.y != 0 || b >= batch) return;
  for (int i = 0; i < kTall; ++i) {
    sum[b] += sums[i][threadIdx.x];
    slope[b] += slopes[i][threadIdx.x];
  }
}

template <typename T>
__global__ void tile_gradient(T* cosines, std::int64_t rows, std::int64_t batch, Others<T> others, const T* bar,
                              const T* top, const T* factor) {
  const std::int64_t n = rows * batch, step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = blockIdx.x * static_cast<std::int64_t>(blockDim.x) + threadIdx.x; i < n; i += step) {
    const std::int64_t b = i % batch;
    cosines[i] = tile_slope(cosines[i], bar ? bar[b] : T(0), others, top ? top[b] : T(0), factor[b]);
  }
}

}  // namespace

int launch_margin_points(const double* cosine, std::int64_t batch, const Margin& margin, double* value, double* slope,
                         void* stream) {
  if (batch == 0) return cudaSuccess;
  margin_points<<<static_cast<unsigned>((batch + 127) / 128), 128, 0, static_cast<cudaStream_t>(stream)>>>(
      cosine, batch, margin, value, slope);
  return cudaGetLastError();
}

template <typename T>
int launch_tile_online(const T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                       T* top, double* sum, void* stream) {
  if (batch == 0 || rows == 0) return cudaSuccess;
  tile_online<T><<<static_cast<unsigned>((batch + kWide - 1) / kWide), dim3(kWide, kTall), 0,
                   static_cast<cudaStream_t>(stream)>>>(cosines, rows, batch, others, bar, top, sum);
  return cudaGetLastError();
}

template <typename T>
int launch_tile_binary(const T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                       double* sum, double* slope, void* stream) {
  if (batch == 0 || rows == 0) return cudaSuccess;
  tile_binary<T><<<static_cast<unsigned>((batch + kWide - 1) / kWide), dim3(kWide, kTall), 0,
                   static_cast<cudaStream_t>(stream)>>>(cosines, rows, batch, others, bar, sum, slope);
  return cudaGetLastError();
}

template <typename T>
int launch_tile_gradient(T* cosines, std::int64_t rows, std::int64_t batch, const Others<T>& others, const T* bar,
                         const T* top, const T* factor, void* stream) {
  if (batch == 0 || rows == 0) return cudaSuccess;
  const std::int64_t blocks = (rows * batch + 255) / 256;
  tile_gradient<T>
      <<<static_cast<unsigned>(blocks < 65536 ? blocks : 65536), 256, 0, static_cast<cudaStream_t>(stream)>>>(
          cosines, rows, batch, others, bar, top, factor);
  return cudaGetLastError();
}

template int launch_tile_online<float>(const float*, std::int64_t, std::int64_t, const Others<float>&, const float*,
                                       float*, double*, void*);
template int launch_tile_online<double>(const double*, std::int64_t, std::int64_t, const Others<double>&, const double*,
                                        double*, double*, void*);
template int launch_tile_binary<float>(const float*, std::int64_t, std::int64_t, const Others<float>&, const float*,
                                       double*, double*, void*);
template int launch_tile_binary<double>(const double*, std::int64_t, std::int64_t, const Others<double>&, const double*,
                                        double*, double*, void*);
template int launch_tile_gradient<float>(float*, std::int64_t, std::int64_t, const Others<float>&, const float*,
                                         const float*, const float*, void*);
template int launch_tile_gradient<double>(double*, std::int64_t, std::int64_t, const Others<double>&, const double*,
                                          const double*, const double*, void*);

}  // namespace likeness::train
