// Registers the CUDA forms of our operators when the module is opened.
#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "train/cuda/margin_softmax.h"

namespace likeness::train {
namespace {

at::Tensor margin_softmax_cuda(const at::Tensor& cosines, const at::Tensor& labels, double scale, double m1, double m2,
                               double m3, std::int64_t gradient, std::int64_t past_pi) {
  TORCH_CHECK(cosines.dim() == 2 && cosines.is_contiguous(), "cosines must be [B,C], contiguous");
  TORCH_CHECK(
      labels.is_cuda() && labels.dim() == 1 && labels.size(0) == cosines.size(0) && labels.scalar_type() == at::kLong,
      "labels must be [B] i64 on the same device");
  const c10::cuda::CUDAGuard guard(cosines.device());
  const Margin margin{scale, m1, m2, m3, static_cast<MarginGradient>(gradient), static_cast<PastPi>(past_pi)};
  const at::Tensor own_labels = labels.contiguous();
  at::Tensor losses = at::empty({cosines.size(0)}, cosines.options());
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "margin_softmax_", [&] {
    const int error = launch_margin_softmax<scalar_t>(
        cosines.mutable_data_ptr<scalar_t>(), own_labels.const_data_ptr<std::int64_t>(), cosines.size(0),
        cosines.size(1), margin, losses.mutable_data_ptr<scalar_t>(), c10::cuda::getCurrentCUDAStream().stream());
    C10_CUDA_CHECK(static_cast<cudaError_t>(error));
  });
  return losses;
}

}  // namespace

TORCH_LIBRARY_IMPL(likeness, CUDA, m) { m.impl("margin_softmax_", &margin_softmax_cuda); }

}  // namespace likeness::train
