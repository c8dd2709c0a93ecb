#include "train/head/tile_op.h"

#include <torch/torch.h>

#include "train/head/tile_math.h"

namespace likeness::train {
namespace {

void tile_online_cpu(const at::Tensor& cosines, const std::optional<at::Tensor>& bar, std::int64_t kind, double scale,
                     double limit, double threshold, at::Tensor top, at::Tensor sum) {
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_online", [&] {
    const auto o = others_of<scalar_t>(kind, scale, limit, threshold);
    const scalar_t* c = cosines.const_data_ptr<scalar_t>();
    const scalar_t* bars = pointer<scalar_t>(bar);
    scalar_t* tops = top.mutable_data_ptr<scalar_t>();
    double* sums = sum.mutable_data_ptr<double>();
    for (std::int64_t b = 0; b < batch; ++b) {
      const scalar_t own_bar = bars ? bars[b] : scalar_t(0);
      scalar_t highest = tops[b];
      for (std::int64_t r = 0; r < rows; ++r)
        if (!absent(c[r * batch + b])) highest = std::max(highest, tile_logit(c[r * batch + b], own_bar, o));
      if (highest == -std::numeric_limits<scalar_t>::infinity()) continue;
      double total = sums[b] * std::exp(static_cast<double>(tops[b] - highest));
      for (std::int64_t r = 0; r < rows; ++r)
        if (!absent(c[r * batch + b])) total += std::exp(tile_logit(c[r * batch + b], own_bar, o) - highest);
      tops[b] = highest, sums[b] = total;
    }
  });
}

void tile_gradient_cpu(at::Tensor cosines, const std::optional<at::Tensor>& bar, std::int64_t kind, double scale,
                       double limit, double threshold, const at::Tensor& top, const at::Tensor& factor) {
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_gradient_", [&] {
    const auto o = others_of<scalar_t>(kind, scale, limit, threshold);
    scalar_t* c = cosines.mutable_data_ptr<scalar_t>();
    const scalar_t* bars = pointer<scalar_t>(bar);
    const scalar_t *tops = top.const_data_ptr<scalar_t>(), *factors = factor.const_data_ptr<scalar_t>();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t b = 0; b < batch; ++b)
        c[r * batch + b] = tile_slope(c[r * batch + b], bars ? bars[b] : scalar_t(0), o, tops[b], factors[b]);
  });
}

std::optional<at::Tensor> optional_of(const at::Tensor& t) {
  return t.defined() ? std::optional<at::Tensor>(t) : std::nullopt;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(likeness, m) {
  m.def(
      "tile_online(Tensor cosines, Tensor? bar, int kind, float scale, float limit, float threshold, Tensor(a!) top, "
      "Tensor(b!) sum) -> ()");
  m.def(
      "tile_gradient_(Tensor(a!) cosines, Tensor? bar, int kind, float scale, float limit, float threshold, Tensor "
      "top, "
      "Tensor factor) -> ()");
}
TORCH_LIBRARY_IMPL(likeness, CPU, m) {
  m.impl("tile_online", &tile_online_cpu);
  m.impl("tile_gradient_", &tile_gradient_cpu);
}

void tile_online(const at::Tensor& cosines, const Others<double>& o, const at::Tensor& bar, at::Tensor& top,
                 at::Tensor& sum) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("likeness::tile_online", "")
                             .typed<void(const at::Tensor&, const std::optional<at::Tensor>&, std::int64_t, double,
                                         double, double, at::Tensor, at::Tensor)>();
  TORCH_CHECK(cosines.is_contiguous() && sum.scalar_type() == at::kDouble &&
              top.scalar_type() == cosines.scalar_type());
  op.call(cosines, optional_of(bar), static_cast<std::int64_t>(o.kind), o.scale, o.limit, o.threshold, top, sum);
}

void tile_gradient_(at::Tensor& cosines, const Others<double>& o, const at::Tensor& bar, const at::Tensor& top,
                    const at::Tensor& factor) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("likeness::tile_gradient_", "")
                             .typed<void(at::Tensor, const std::optional<at::Tensor>&, std::int64_t, double, double,
                                         double, const at::Tensor&, const at::Tensor&)>();
  TORCH_CHECK(cosines.is_contiguous() && top.scalar_type() == cosines.scalar_type());
  op.call(cosines, optional_of(bar), static_cast<std::int64_t>(o.kind), o.scale, o.limit, o.threshold, top, factor);
}

}  // namespace likeness::train
