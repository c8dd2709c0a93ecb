#include "train/tensor_views.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace likeness::train {

Histogram histogram_of(const at::Tensor& values, std::int64_t bins) {
  const at::NoGradGuard no_grad;
  at::Tensor v = values.detach().to(at::kCPU, at::kDouble).flatten();
  v = v.masked_select(at::isfinite(v));
  Histogram h;
  if (v.numel() == 0) return h;
  h.low = v.min().item<double>(), h.high = v.max().item<double>();
  h.count = static_cast<double>(v.numel());
  h.sum = v.sum().item<double>(), h.sum_of_squares = v.square().sum().item<double>();
  if (h.low == h.high) {  // one bin holds them all
    h.edges = {h.high}, h.counts = {h.count};
    return h;
  }
  const at::Tensor counts = at::histc(v, bins, h.low, h.high);
  const double* c = counts.const_data_ptr<double>();
  h.counts.assign(c, c + bins);
  for (std::int64_t i = 1; i <= bins; ++i)
    h.edges.push_back(i == bins ? h.high
                                : h.low + (h.high - h.low) * static_cast<double>(i) / static_cast<double>(bins));
  return h;
}

data::Image picture_grid(const at::Tensor& pixels, std::int64_t count) {
  const std::int64_t n = std::min(count, pixels.size(0)), height = pixels.size(1), width = pixels.size(2);
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  const std::int64_t rows = (n + columns - 1) / columns;
  const at::Tensor cells = at::zeros({rows * columns, height, width, 3}, at::kByte);
  cells.narrow(0, 0, n).copy_(pixels.narrow(0, 0, n));
  const at::Tensor grid = cells.reshape({rows, columns, height, width, 3}).permute({0, 2, 1, 3, 4}).contiguous();
  const std::uint8_t* p = grid.const_data_ptr<std::uint8_t>();
  return {.width = static_cast<int>(columns * width),
          .height = static_cast<int>(rows * height),
          .pixels = {p, p + grid.numel()}};
}

}  // namespace likeness::train
