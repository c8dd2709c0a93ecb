#include "train/head/reduction.h"

#include <torch/torch.h>

namespace likeness::train {

Reduced reduce_softmax(OtherSums sums, const at::Tensor& value, const at::Tensor& known, double scale, Group& group) {
  const at::Tensor top = sums.top.to(at::kDouble), own_logit = at::where(known, value * scale, -INFINITY);
  at::Tensor highest = at::maximum(top, own_logit);
  group.all_reduce_max(highest);
  sums.sum *= (top - highest).exp();
  group.all_reduce_sum(sums.sum);
  const at::Tensor own_share = (own_logit - highest).exp(), total = sums.sum + own_share;
  return {.losses = total.log() + highest - own_logit,
          .by_value = scale * (own_share / total - 1),
          .top = highest,
          .factor = scale / total};
}

Reduced reduce_binary(OtherSums sums, const at::Tensor& value, double scale, const BinaryTerms& terms, double bias,
                      Group& group) {
  at::Tensor both = at::stack({sums.sum, sums.slope});
  group.all_reduce_sum(both);
  const at::Tensor own_logit = value * scale + bias, refused = (-own_logit).sigmoid();
  const at::Tensor own_loss =
      (-own_logit).clamp_min(0) + (-own_logit.abs()).exp().log1p();  // exact, unlike at::softplus
  return {.losses = terms.positive * own_loss + terms.negative * both[0],
          .by_value = refused * (-terms.positive * scale),
          .top = {},
          .factor = at::full_like(value, terms.negative * scale),
          .by_bias = terms.negative * both[1] - terms.positive * refused};
}

}  // namespace likeness::train
