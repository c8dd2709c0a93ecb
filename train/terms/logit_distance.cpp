#include "train/terms/logit_distance.h"

#include <torch/torch.h>

#include "train/head/tiles.h"

namespace likeness::train {
namespace {

struct Directions {
  at::Tensor norm, unit;  // [N,1], [N,D]
};

Directions directions(const at::Tensor& rows) {
  const at::Tensor norm = at::linalg_vector_norm(rows, 2, {1}, true).clamp_min(kSmallestNorm);
  return {norm, rows / norm};
}

at::Tensor of_all_ranks(const at::Tensor& own, Group& group) {
  return group.size() == 1 ? own : at::cat(group.all_gather(own.contiguous()));
}

// Log-probabilities [B,c] of this rank's classes among those of all.
at::Tensor log_softmax(const at::Tensor& logits, Group& group) {
  at::Tensor top = logits.amax(1);
  group.all_reduce_max(top);
  const at::Tensor shifted = logits - top.unsqueeze(1);
  at::Tensor sum = shifted.exp().sum(1);
  group.all_reduce_sum(sum);
  return shifted - sum.log().unsqueeze(1);
}

// The gradient by rows, from that by their directions.
at::Tensor by_rows(const at::Tensor& by_unit, const Directions& d) {
  return (by_unit - d.unit * (by_unit * d.unit).sum(1, true)) / d.norm;
}

}  // namespace

LogitStep logit_distance(const at::Tensor& embeddings, const at::Tensor& centres, const at::Tensor& taught,
                         const at::Tensor& taught_centres, const LogitOptions& o, Group& group) {
  const at::NoGradGuard no_grad;
  const Directions own = directions(embeddings), v = directions(centres);
  const at::Tensor u = of_all_ranks(own.unit, group);
  const at::Tensor log_p =
      log_softmax(at::mm(of_all_ranks(directions(taught).unit, group), directions(taught_centres).unit.t()) *
                      (o.taught_scale / o.temperature),
                  group);
  const at::Tensor log_q = log_softmax(at::mm(u, v.unit.t()) * (o.scale / o.temperature), group);

  const at::Tensor p = log_p.exp();
  const auto samples = static_cast<double>(u.size(0));
  const double square = o.temperature * o.temperature;
  at::Tensor loss = (p * (log_p - log_q)).sum() * (square / samples);
  group.all_reduce_sum(loss);

  const at::Tensor by_cosine = (log_q.exp() - p) * (square / samples * o.scale / o.temperature);
  at::Tensor by_unit = at::mm(by_cosine, v.unit);
  group.all_reduce_sum(by_unit);
  const std::int64_t each = embeddings.size(0);
  return {.loss = loss,
          .by_embeddings = by_rows(by_unit.narrow(0, each * group.rank(), each), own) * group.size(),
          .by_centres = by_rows(at::mm(by_cosine.t(), u), v)};
}

}  // namespace likeness::train
