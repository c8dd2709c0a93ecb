// Registers the CUDA forms of our operators when the module is opened.
#include <ATen/Dispatch.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "train/cuda/head.h"
#include "train/head/tile_op.h"

namespace likeness::train {
namespace {

void* stream() { return c10::cuda::getCurrentCUDAStream().stream(); }
void check(int error) { C10_CUDA_CHECK(static_cast<cudaError_t>(error)); }

std::tuple<at::Tensor, at::Tensor> margin_points_cuda(const at::Tensor& cosine, double m1, double m2, double m3,
                                                      std::int64_t past_pi) {
  TORCH_CHECK(cosine.dim() == 1 && cosine.scalar_type() == at::kDouble, "cosine must be [B] f64");
  const c10::cuda::CUDAGuard guard(cosine.device());
  const at::Tensor c = cosine.contiguous(), value = at::empty_like(c), slope = at::empty_like(c);
  const Margin margin{m1, m2, m3, static_cast<PastPi>(past_pi)};
  check(launch_margin_points(c.const_data_ptr<double>(), c.size(0), margin, value.mutable_data_ptr<double>(),
                             slope.mutable_data_ptr<double>(), stream()));
  return {value, slope};
}

using MaybeTensor = std::optional<at::Tensor>;
using Numbers = at::ArrayRef<double>;

void tile_online_cuda(const at::Tensor& cosines, const MaybeTensor& bar, Numbers others, at::Tensor top,
                      at::Tensor sum) {
  const c10::cuda::CUDAGuard guard(cosines.device());
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_online", [&] {
    check(launch_tile_online<scalar_t>(cosines.const_data_ptr<scalar_t>(), cosines.size(0), cosines.size(1),
                                       others_of<scalar_t>(others), pointer<scalar_t>(bar),
                                       top.mutable_data_ptr<scalar_t>(), sum.mutable_data_ptr<double>(), stream()));
  });
}

void tile_binary_cuda(const at::Tensor& cosines, const MaybeTensor& bar, Numbers others, at::Tensor sum,
                      at::Tensor slope) {
  const c10::cuda::CUDAGuard guard(cosines.device());
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_binary", [&] {
    check(launch_tile_binary<scalar_t>(cosines.const_data_ptr<scalar_t>(), cosines.size(0), cosines.size(1),
                                       others_of<scalar_t>(others), pointer<scalar_t>(bar),
                                       sum.mutable_data_ptr<double>(), slope.mutable_data_ptr<double>(), stream()));
  });
}

void tile_gradient_cuda(at::Tensor cosines, const MaybeTensor& bar, Numbers others, const MaybeTensor& top,
                        const at::Tensor& factor) {
  const c10::cuda::CUDAGuard guard(cosines.device());
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_gradient_", [&] {
    check(launch_tile_gradient<scalar_t>(cosines.mutable_data_ptr<scalar_t>(), cosines.size(0), cosines.size(1),
                                         others_of<scalar_t>(others), pointer<scalar_t>(bar), pointer<scalar_t>(top),
                                         factor.const_data_ptr<scalar_t>(), stream()));
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(likeness, CUDA, m) {
  m.impl("margin_points", &margin_points_cuda);
  m.impl("tile_online", &tile_online_cuda);
  m.impl("tile_binary", &tile_binary_cuda);
  m.impl("tile_gradient_", &tile_gradient_cuda);
}

}  // namespace likeness::train
