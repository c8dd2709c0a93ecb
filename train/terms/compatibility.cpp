#include "train/terms/compatibility.h"

#include <torch/torch.h>

#include <cmath>

namespace likeness::train {
namespace {

// One old centre per identity, whatever the new classifier has; triplets are the new classifier's alone.
ClassifierOptions old_options(ClassifierOptions options) {
  options.sub_centers = 1;
  options.triplet = {};
  return options;
}

}  // namespace

Compatibility::Compatibility(ClassifierOptions options, const at::Tensor& centres, double weight, Group& group)
    : old_(old_options(std::move(options)), centres.scalar_type(), &group), weight_(weight) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(centres.sizes() == old_.weight().sizes(), "old centres: want ", old_.weight().sizes(), ", got ",
              centres.sizes());
  old_.weight().copy_(centres);
  old_.to(centres.device());
}

TermStep Compatibility::step(const TermInput& in) {
  const HeadStep old = old_.step(in.embeddings, in.batch.labels, in.step, nullptr, nullptr, in.share);
  TermStep out{.losses = {{"compatible", old.loss}}};
  // Not finite: the step will be skipped by its gradient.
  out.gradient = old.finite ? old.embeddings * weight_ : at::full_like(in.embeddings, NAN);
  return out;
}

}  // namespace likeness::train
