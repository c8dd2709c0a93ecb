#include "train/head/margin_softmax.h"

#include <torch/torch.h>

#include <algorithm>
#include <limits>

namespace likeness::train {
namespace {

template <typename T>
void one_row(T* row, std::int64_t classes, std::int64_t label, const Margin& m, T* loss) {
  const T scale = T(m.scale);
  const MarginPoint<T> own = apply_margin(std::clamp(row[label], T(-1), T(1)), m);
  const T own_logit = scale * own.value;
  T top = own_logit;
  for (std::int64_t j = 0; j < classes; ++j) {
    row[j] = scale * std::clamp(row[j], T(-1), T(1));
    if (j != label) top = std::max(top, row[j]);
  }
  row[label] = own_logit;
  double sum = 0;  // f64: thousands of small terms beside a few large ones
  for (std::int64_t j = 0; j < classes; ++j) {
    row[j] = std::exp(row[j] - top);
    sum += row[j];
  }
  *loss = T(std::log(sum)) + (top - own_logit);
  const T probability = T(row[label] / sum);
  for (std::int64_t j = 0; j < classes; ++j) row[j] = cosine_gradient(row[j], sum, scale);
  row[label] = scale * (probability - T(1)) * own.slope;
}

at::Tensor margin_softmax_cpu(const at::Tensor& cosines, const at::Tensor& labels, double scale, double m1, double m2,
                              double m3, std::int64_t gradient, std::int64_t past_pi) {
  TORCH_CHECK(cosines.dim() == 2 && cosines.is_contiguous(), "cosines must be [B,C], contiguous");
  TORCH_CHECK(labels.dim() == 1 && labels.size(0) == cosines.size(0) && labels.scalar_type() == at::kLong,
              "labels must be [B] i64");
  const Margin margin{scale, m1, m2, m3, static_cast<MarginGradient>(gradient), static_cast<PastPi>(past_pi)};
  const std::int64_t batch = cosines.size(0), classes = cosines.size(1);
  const at::Tensor own_labels = labels.contiguous();
  const std::int64_t* label = own_labels.const_data_ptr<std::int64_t>();
  for (std::int64_t b = 0; b < batch; ++b)
    TORCH_CHECK(label[b] >= 0 && label[b] < classes, "label ", label[b], " is outside [0,", classes, ")");
  at::Tensor losses = at::empty({batch}, cosines.options());
  AT_DISPATCH_FLOATING_TYPES(cosines.scalar_type(), "margin_softmax_", [&] {
    scalar_t* rows = cosines.mutable_data_ptr<scalar_t>();
    scalar_t* out = losses.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) one_row(rows + b * classes, classes, label[b], margin, out + b);
    });
  });
  return losses;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(likeness, m) {
  m.def(
      "margin_softmax_(Tensor(a!) cosines, Tensor labels, float scale, float m1, float m2, float m3, int gradient, int "
      "past_pi) -> Tensor");
}
TORCH_LIBRARY_IMPL(likeness, CPU, m) { m.impl("margin_softmax_", &margin_softmax_cpu); }

at::Tensor margin_softmax_(const at::Tensor& cosines, const at::Tensor& labels, const Margin& m) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("likeness::margin_softmax_", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, double, double, double, double,
                                               std::int64_t, std::int64_t)>();
  return op.call(cosines, labels, m.scale, m.m1, m.m2, m.m3, static_cast<std::int64_t>(m.gradient),
                 static_cast<std::int64_t>(m.past_pi));
}

}  // namespace likeness::train
