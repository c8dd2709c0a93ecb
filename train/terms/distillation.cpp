#include "train/terms/distillation.h"

#include <torch/torch.h>

#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "train/head/tiles.h"

namespace likeness::train {
namespace {

// Drawn row by row, so that it does not depend on anything else that is drawn.
at::Tensor initial_projection(std::int64_t rows, std::int64_t columns, std::uint64_t seed, at::TensorOptions type) {
  at::Tensor w = at::empty({rows, columns}, at::kFloat);
  float* out = w.mutable_data_ptr<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    Rng rng(seed, Purpose::kDistill, 0, static_cast<std::uint64_t>(r));
    for (std::int64_t d = 0; d < columns; ++d)
      *out++ = static_cast<float>(rng.normal() / std::sqrt(static_cast<double>(columns)));
  }
  return w.to(type).set_requires_grad(true);
}

}  // namespace

Distillation::Distillation(DistillationOptions options, Teacher teacher, Group& group)
    : options_(std::move(options)), teacher_(std::move(teacher)), group_(group) {
  if (options_.embedding > 0 && options_.dimension != options_.taught_dimension)
    projection_ = initial_projection(options_.taught_dimension, options_.dimension, options_.seed, options_.type);
}

NamedTensors Distillation::parameters() {
  if (!projection_.defined()) return {};
  return {{"distill.projection", projection_}};
}

TermStep Distillation::step(const TermInput& in) {
  const at::Tensor taught = teacher_(in.batch.pixels).to(options_.type);
  LIKENESS_ASSERT(taught.size(0) == in.embeddings.size(0) && taught.size(1) == options_.taught_dimension);
  TermStep out;
  if (options_.embedding > 0) {
    const at::Tensor own = projection_.defined() ? at::linear(in.embeddings, projection_) : in.embeddings;
    const at::Tensor loss = (1 - at::cosine_similarity(own, taught, 1, kSmallestNorm)).mean();
    out.losses.emplace_back("distill/embedding", loss.detach());
    out.loss = loss * (options_.embedding * in.share);
  }
  if (options_.logits > 0) {
    const LogitStep logits =
        logit_distance(in.embeddings.detach(), in.centres, taught, options_.taught_centres, options_.softmax, group_);
    out.losses.emplace_back("distill/logits", logits.loss);
    out.gradient = logits.by_embeddings * (options_.logits * in.share);
    in.centre_gradient->add_(logits.by_centres, options_.logits * in.share);
  }
  return out;
}

}  // namespace likeness::train
