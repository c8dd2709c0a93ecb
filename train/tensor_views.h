// What TensorBoard shows of tensors: histograms of values, and pictures of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/crop.h"
#include "train/events.h"

namespace likeness::train {

// Of all finite values of a tensor of any type, in `bins` bins of equal width from the smallest to the largest; values
// that are not finite are left out. Reads the tensor back.
Histogram histogram_of(const at::Tensor& values, std::int64_t bins = 64);

// The first `count` pictures (or all) of pixels [B,H,W,3] u8 on the CPU, row by row in a grid as wide as high; cells
// without a picture are black.
data::Image picture_grid(const at::Tensor& pixels, std::int64_t count);

}  // namespace likeness::train
