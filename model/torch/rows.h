// Channels-last tensors seen as rows of contiguous channels, and work on them shared out in fixed pieces.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "model/torch/kernel/kernels.h"

namespace likeness::model {

// [B,C,H,W] or [B,C] in the memory order that the kernels want; no copy where it has it.
inline at::Tensor in_rows(const at::Tensor& x) {
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

// f32, f64 or bf16 -> f(T{}) with the kernels' type.
template <class F>
void dispatch(at::ScalarType type, F&& f) {
  if (type == at::kFloat)
    f(float{});
  else if (type == at::kDouble)
    f(double{});
  else if (type == at::kBFloat16)
    f(kernel::BF16{});
  else
    TORCH_CHECK(false, "feature maps are f32, f64 or bf16, not ", type);
}

// Null where the tensor is undefined.
template <class T>
const T* data(const at::Tensor& t) {
  return t.defined() ? static_cast<const T*>(t.const_data_ptr()) : nullptr;
}
template <class T>
T* mutable_data(const at::Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}

// `count` items in pieces of `size`, whatever the number of threads: sums over pieces then do not depend on it.
struct Pieces {
  std::int64_t count, size;
  std::int64_t number() const { return (count + size - 1) / size; }
};

// f(piece, first item, items) for every piece, on all threads.
template <class F>
void each_piece(const Pieces& pieces, F&& f) {
  at::parallel_for(0, pieces.number(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      f(i, i * pieces.size, std::min(pieces.size, pieces.count - i * pieces.size));
  });
}

// One row of `width` f64 sums per piece, added up in order.
class Partials {
 public:
  Partials(const Pieces& pieces, std::int64_t width) : width_(width), values_(pieces.number() * width) {}
  double* of(std::int64_t piece) { return values_.data() + piece * width_; }
  std::vector<double> total() const {
    std::vector<double> sum(width_, 0.0);
    for (std::size_t i = 0; i < values_.size(); i += width_) {
      for (std::int64_t k = 0; k < width_; ++k) sum[k] += values_[i + k];
    }
    return sum;
  }

 private:
  std::int64_t width_;
  std::vector<double> values_;
};

}  // namespace likeness::model
