// AdaFace: the margin follows the embedding's norm, taken as the picture's quality; Kim et al., CVPR 2022. As in the
// authors' head.py: norms are cut to [0.001, 100] and detached, the running mean and deviation (divisor B - 1) move
// before they are used, every cosine is cut to +-0.999, and the angle with its margin to [0.001, pi - 0.001].
#include <torch/torch.h>

#include "train/head/losses/losses.h"

namespace likeness::train {
namespace {

constexpr double kEpsilon = 1e-3, kPi = 3.14159265358979323846;

class AdaFace : public Loss {
 public:
  explicit AdaFace(const LossOptions& o)
      : margin_(o.at("margin")), concentration_(o.at("concentration")), momentum_(o.at("momentum")) {}

  Margined apply(const Samples& s) override {
    const at::Tensor norm = s.norm.detach().clamp(1e-3, 100), known = norm.masked_select(s.known);
    {
      at::NoGradGuard no_grad;
      if (known.numel() > 1) {
        mean_.mul_(1 - momentum_).add_(momentum_ * known.mean().to(mean_.device()));
        deviation_.mul_(1 - momentum_).add_(momentum_ * known.std().to(mean_.device()));
      }
    }
    const at::Tensor mean = mean_.to(norm.device()), deviation = deviation_.to(norm.device());
    const at::Tensor quality = ((norm - mean) / (deviation + kEpsilon) * concentration_).clamp(-1, 1);
    const at::Tensor angle = s.cosine.clamp(-1 + kEpsilon, 1 - kEpsilon).acos();
    return {.value = (angle - margin_ * quality).clamp(kEpsilon, kPi - kEpsilon).cos() - (margin_ + margin_ * quality)};
  }
  Others<double> others() const override { return {.limit = 1 - kEpsilon}; }
  std::vector<std::pair<std::string, at::Tensor>> state() override {
    return {{"norm_mean", mean_}, {"norm_deviation", deviation_}};
  }

 private:
  double margin_, concentration_, momentum_;
  at::Tensor mean_ = at::full({}, 20.0, at::kDouble), deviation_ = at::full({}, 100.0, at::kDouble);
};

}  // namespace

const LossEntry kAdaface = {
    "adaface",
    "margin after the norm's place in its running distribution; Kim et al., CVPR 2022",
    {{"margin", 0.4, 0, 1.5, "m: radians and cosine, split by quality"},
     {"concentration", 0.333, 0, 10, "h: how fast the margin follows the norm"},
     {"momentum", 0.01, 0, 1, "share of a batch in the running mean and deviation of the norms"}},
    [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<AdaFace>(o); }};

}  // namespace likeness::train
