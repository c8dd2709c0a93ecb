// One block per sample: three sweeps over its row of cosines (largest logit, sum of exponentials, gradient), each
// coalesced. The per-element formulas are those of the CPU, compiled from the same header.
#include <cuda_runtime.h>

#include "train/cuda/margin_softmax.h"

namespace likeness::train {
namespace {

constexpr int kThreads = 512;

template <typename T>
__device__ T cut(T c) {
  return c < T(-1) ? T(-1) : (c > T(1) ? T(1) : c);
}

// Reduces over the block; every thread gets the result. `combine` is associative and commutative; the tree's shape is
// fixed, so the result does not depend on timing.
template <typename T, typename Combine>
__device__ T block_reduce(T value, T* shared, Combine combine) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] = combine(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const T result = shared[0];
  __syncthreads();
  return result;
}

template <typename T>
__global__ void margin_softmax(T* cosines, const std::int64_t* labels, std::int64_t classes, Margin margin, T* losses) {
  __shared__ T tops[kThreads];
  __shared__ double sums[kThreads];
  T* row = cosines + static_cast<std::int64_t>(blockIdx.x) * classes;
  const std::int64_t label = labels[blockIdx.x];
  if (label < 0 || label >= classes) {
    if (threadIdx.x == 0) losses[blockIdx.x] = T(NAN);
    return;
  }
  const T scale = T(margin.scale);
  const MarginPoint<T> own = apply_margin(cut(row[label]), margin);
  const T own_logit = scale * own.value;
  __syncthreads();  // everyone has read row[label] before its owner overwrites it

  T top = own_logit;
  for (std::int64_t j = threadIdx.x; j < classes; j += kThreads) {
    const T logit = j == label ? own_logit : scale * cut(row[j]);
    row[j] = logit;
    top = logit > top ? logit : top;
  }
  top = block_reduce(top, tops, [](T a, T b) { return a > b ? a : b; });

  double sum = 0;
  for (std::int64_t j = threadIdx.x; j < classes; j += kThreads) {
    row[j] = exp(row[j] - top);
    sum += row[j];
  }
  sum = block_reduce(sum, sums, [](double a, double b) { return a + b; });

  if (threadIdx.x == 0) losses[blockIdx.x] = T(log(sum)) + (top - own_logit);
  for (std::int64_t j = threadIdx.x; j < classes; j += kThreads) {
    const T p = row[j];
    row[j] = j == label ? scale * (T(p / sum) - T(1)) * own.slope : cosine_gradient(p, sum, scale);
  }
}

}  // namespace

template <typename T>
int launch_margin_softmax(T* cosines, const std::int64_t* labels, std::int64_t batch, std::int64_t classes,
                          const Margin& margin, T* losses, void* stream) {
  if (batch == 0) return cudaSuccess;
  margin_softmax<T><<<static_cast<unsigned>(batch), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      cosines, labels, classes, margin, losses);
  return cudaGetLastError();
}

template int launch_margin_softmax<float>(float*, const std::int64_t*, std::int64_t, std::int64_t, const Margin&,
                                          float*, void*);
template int launch_margin_softmax<double>(double*, const std::int64_t*, std::int64_t, std::int64_t, const Margin&,
                                           double*, void*);

}  // namespace likeness::train
