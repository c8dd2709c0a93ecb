#include "train/head/tile_op.h"

#include <torch/torch.h>

#include "train/head/tile_math.h"

namespace likeness::train {
namespace {

using MaybeTensor = std::optional<at::Tensor>;
using Numbers = at::ArrayRef<double>;

void tile_online_cpu(const at::Tensor& cosines, const MaybeTensor& bar, Numbers others, at::Tensor top,
                     at::Tensor sum) {
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_online", [&] {
    const auto o = others_of<scalar_t>(others);
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

void tile_binary_cpu(const at::Tensor& cosines, const MaybeTensor& bar, Numbers others, at::Tensor sum,
                     at::Tensor slope) {
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_binary", [&] {
    const auto o = others_of<scalar_t>(others);
    const scalar_t* c = cosines.const_data_ptr<scalar_t>();
    const scalar_t* bars = pointer<scalar_t>(bar);
    double *sums = sum.mutable_data_ptr<double>(), *slopes = slope.mutable_data_ptr<double>();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t b = 0; b < batch; ++b) {
        if (absent(c[r * batch + b])) continue;
        const scalar_t logit = tile_logit(c[r * batch + b], bars ? bars[b] : scalar_t(0), o);
        sums[b] += softplus(logit), slopes[b] += sigmoid(logit);
      }
  });
}

void tile_gradient_cpu(at::Tensor cosines, const MaybeTensor& bar, Numbers others, const MaybeTensor& top,
                       const at::Tensor& factor) {
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "tile_gradient_", [&] {
    const auto o = others_of<scalar_t>(others);
    scalar_t* c = cosines.mutable_data_ptr<scalar_t>();
    const scalar_t *bars = pointer<scalar_t>(bar), *tops = pointer<scalar_t>(top),
                   *factors = factor.const_data_ptr<scalar_t>();
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t b = 0; b < batch; ++b)
        c[r * batch + b] =
            tile_slope(c[r * batch + b], bars ? bars[b] : scalar_t(0), o, tops ? tops[b] : scalar_t(0), factors[b]);
  });
}

MaybeTensor optional_of(const at::Tensor& t) { return t.defined() ? MaybeTensor(t) : std::nullopt; }

// The operator of this name, with this type.
template <class F>
auto operator_of(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<F>();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(likeness, m) {
  m.def("tile_online(Tensor cosines, Tensor? bar, float[] others, Tensor(a!) top, Tensor(b!) sum) -> ()");
  m.def("tile_binary(Tensor cosines, Tensor? bar, float[] others, Tensor(a!) sum, Tensor(b!) slope) -> ()");
  m.def("tile_gradient_(Tensor(a!) cosines, Tensor? bar, float[] others, Tensor? top, Tensor factor) -> ()");
}
TORCH_LIBRARY_IMPL(likeness, CPU, m) {
  m.impl("tile_online", &tile_online_cpu);
  m.impl("tile_binary", &tile_binary_cpu);
  m.impl("tile_gradient_", &tile_gradient_cpu);
}

void tile_online(const at::Tensor& cosines, const Others<double>& o, const at::Tensor& bar, at::Tensor& top,
                 at::Tensor& sum) {
  static const auto op = operator_of<void(const at::Tensor&, const MaybeTensor&, Numbers, at::Tensor, at::Tensor)>(
      "likeness::tile_online");
  TORCH_CHECK(cosines.is_contiguous() && sum.scalar_type() == at::kDouble &&
              top.scalar_type() == cosines.scalar_type());
  op.call(cosines, optional_of(bar), numbers_of(o), top, sum);
}

void tile_binary(const at::Tensor& cosines, const Others<double>& o, const at::Tensor& bar, at::Tensor& sum,
                 at::Tensor& slope) {
  static const auto op = operator_of<void(const at::Tensor&, const MaybeTensor&, Numbers, at::Tensor, at::Tensor)>(
      "likeness::tile_binary");
  TORCH_CHECK(cosines.is_contiguous() && sum.scalar_type() == at::kDouble && slope.scalar_type() == at::kDouble);
  op.call(cosines, optional_of(bar), numbers_of(o), sum, slope);
}

void tile_gradient_(at::Tensor& cosines, const Others<double>& o, const at::Tensor& bar, const at::Tensor& top,
                    const at::Tensor& factor) {
  static const auto op =
      operator_of<void(at::Tensor, const MaybeTensor&, Numbers, const MaybeTensor&, const at::Tensor&)>(
          "likeness::tile_gradient_");
  TORCH_CHECK(cosines.is_contiguous() && factor.scalar_type() == cosines.scalar_type());
  op.call(cosines, optional_of(bar), numbers_of(o), optional_of(top), factor);
}

}  // namespace likeness::train
