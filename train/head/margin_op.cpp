#include "train/head/margin_op.h"

#include <torch/torch.h>

namespace likeness::train {
namespace {

std::tuple<at::Tensor, at::Tensor> margin_points_cpu(const at::Tensor& cosine, double m1, double m2, double m3,
                                                     std::int64_t past_pi) {
  TORCH_CHECK(cosine.dim() == 1 && cosine.scalar_type() == at::kDouble, "cosine must be [B] f64");
  const Margin margin{.m1 = m1, .m2 = m2, .m3 = m3, .past_pi = static_cast<PastPi>(past_pi)};
  const at::Tensor c = cosine.contiguous(), value = at::empty_like(c), slope = at::empty_like(c);
  for (std::int64_t b = 0; b < c.size(0); ++b) {
    const MarginPoint<double> p = apply_margin(std::clamp(c.const_data_ptr<double>()[b], -1.0, 1.0), margin);
    value.mutable_data_ptr<double>()[b] = p.value;
    slope.mutable_data_ptr<double>()[b] = p.slope;
  }
  return {value, slope};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(likeness, m) {
  m.def("margin_points(Tensor cosine, float m1, float m2, float m3, int past_pi) -> (Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(likeness, CPU, m) { m.impl("margin_points", &margin_points_cpu); }

std::pair<at::Tensor, at::Tensor> margin_points(const at::Tensor& cosine, const Margin& m) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("likeness::margin_points", "")
          .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, double, double, double, std::int64_t)>();
  const auto [value, slope] = op.call(cosine, m.m1, m.m2, m.m3, static_cast<std::int64_t>(m.past_pi));
  return {value, slope};
}

}  // namespace likeness::train
