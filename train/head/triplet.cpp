#include "train/head/triplet.h"

#include <torch/torch.h>

namespace likeness::train {

Triplets batch_hard(const at::Tensor& unit, const std::vector<std::int64_t>& labels, double margin) {
  const at::Tensor label = at::tensor(labels, at::kLong).to(unit.device()), known = label >= 0;
  const at::Tensor cosines = at::mm(unit, unit.t());
  const at::Tensor pairs = known.unsqueeze(1) & known.unsqueeze(0),
                   alike = (label.unsqueeze(1) == label.unsqueeze(0)) & pairs, unlike = pairs & ~alike;
  const at::Tensor own = alike & ~at::eye(unit.size(0), alike.options());
  const auto [positive, which_positive] = at::where(own, cosines, INFINITY).min(1);
  const auto [negative, which_negative] = at::where(unlike, cosines, -INFINITY).max(1);
  const at::Tensor anchor = own.any(1) & unlike.any(1);
  const std::int64_t anchors = anchor.sum().item<std::int64_t>();
  const at::Tensor losses = at::where(anchor, margin + 2 * (negative - positive).to(at::kDouble), 0).clamp_min(0);
  const double share = 1.0 / static_cast<double>(std::max<std::int64_t>(anchors, 1));

  // By the cosine of a picture with its positive and its negative; a cosine belongs to both of its pictures.
  const at::Tensor pull = (losses > 0).to(unit.scalar_type()).mul_(2 * share).unsqueeze(1);
  at::Tensor by_cosine = at::zeros_like(cosines);
  by_cosine.scatter_add_(1, which_negative.unsqueeze(1), pull);
  by_cosine.scatter_add_(1, which_positive.unsqueeze(1), -pull);
  return {.loss = losses.sum() * share, .gradient = at::mm(by_cosine + by_cosine.t(), unit), .anchors = anchors};
}

}  // namespace likeness::train
