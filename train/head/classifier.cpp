#include "train/head/classifier.h"

#include <torch/torch.h>

#include "core/rng.h"
#include "core/thread_pool.h"
#include "train/head/margin_softmax.h"

namespace likeness::train {
namespace {

constexpr double kSmallestNorm = 1e-12;

at::Tensor row_norms(const at::Tensor& x) { return at::linalg_vector_norm(x, 2, {1}, true).clamp_min(kSmallestNorm); }

// x/|x| sends a gradient g to (g - n (n.g)) / |x| with n = x/|x|.
at::Tensor back_through_normalise(const at::Tensor& g, const at::Tensor& n, const at::Tensor& norm) {
  return (g - n * (g * n).sum(1, true)).div_(norm);
}

struct MarginLoss : torch::autograd::Function<MarginLoss> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& embeddings,
                            const at::Tensor& weight, const at::Tensor& labels, const Margin& margin) {
    const at::Tensor e_norm = row_norms(embeddings), w_norm = row_norms(weight);
    const at::Tensor e = embeddings / e_norm, w = weight / w_norm;  // [B,D], [C,D]
    const at::Tensor cosines = at::mm(e, w.t());                    // [B,C], turned into its own gradient in place
    const at::Tensor losses = margin_softmax_(cosines, labels, margin);
    ctx->save_for_backward({e, w, e_norm, w_norm, cosines});
    return losses.mean();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list upstream) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &e = saved[0], &w = saved[1], &e_norm = saved[2], &w_norm = saved[3];
    const at::Tensor g =
        saved[4] * (upstream[0] / static_cast<double>(e.size(0)));  // stays on the device: no read-back
    return {back_through_normalise(at::mm(g, w), e, e_norm), back_through_normalise(at::mm(g.t(), e), w, w_norm),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor margin_loss(const at::Tensor& embeddings, const at::Tensor& weight, const at::Tensor& labels,
                       const Margin& margin) {
  TORCH_CHECK(embeddings.dim() == 2 && weight.dim() == 2 && embeddings.size(1) == weight.size(1),
              "embeddings must be [B,D], centres [C,D]");
  return MarginLoss::apply(embeddings, weight, labels, margin);
}

Classifier::Classifier(const ClassifierOptions& options, at::ScalarType dtype) : options_(options) {
  at::NoGradGuard no_grad;
  weight_ = at::empty({options.classes, options.dimension}, at::TensorOptions().dtype(dtype));
  AT_DISPATCH_FLOATING_TYPES(dtype, "Classifier", [&] {
    scalar_t* rows = weight_.mutable_data_ptr<scalar_t>();
    parallel_for(static_cast<std::size_t>(options.classes), 64, at::get_num_threads(),
                 [&](std::size_t begin, std::size_t end) {
                   for (std::size_t c = begin; c < end; ++c) {
                     Rng rng(options.seed, Purpose::kHead, 0, c);
                     scalar_t* row = rows + static_cast<std::int64_t>(c) * options.dimension;
                     // Rounded through f32, so that an f64 head starts where the f32 one does.
                     for (std::int64_t d = 0; d < options.dimension; ++d)
                       row[d] = static_cast<float>(options.init_std * rng.normal());
                   }
                 });
  });
  weight_.set_requires_grad(true);
}

at::Tensor Classifier::loss(const at::Tensor& embeddings, const at::Tensor& labels) const {
  return margin_loss(embeddings, weight_, labels, options_.margin);
}

void Classifier::to(at::Device device) {
  at::NoGradGuard no_grad;
  weight_ = weight_.to(device).set_requires_grad(true);
}

}  // namespace likeness::train
