// CurricularFace: classes nearer than the sample's own, after its margin, count more as training goes on; Huang et al.,
// CVPR 2020. As in the authors' metrics.py: t, the running mean of the own cosines, moves before it is used and has no
// gradient.
#include <torch/torch.h>

#include <cmath>

#include "train/head/losses/losses.h"

namespace likeness::train {
namespace {

class CurricularFace : public Loss {
 public:
  explicit CurricularFace(const LossOptions& o) : margin_(o.at("margin")), momentum_(o.at("momentum")) {}
  Margined apply(const Samples& s) override {
    const at::Tensor known = s.cosine.detach().masked_select(s.known);
    if (known.numel() > 0) {
      at::NoGradGuard no_grad;
      t_.mul_(1 - momentum_).add_(momentum_ * known.mean().to(t_.device()));
    }
    const double cos_m = std::cos(margin_), sin_m = std::sin(margin_);
    const at::Tensor shifted = s.cosine * cos_m - sine_of(s.cosine) * sin_m;
    return {.value = at::where(s.cosine > -cos_m, shifted, s.cosine - sin_m * margin_), .bar = shifted};
  }
  Others<double> others() const override { return {.kind = OthersKind::kCurriculum, .threshold = t_.item<double>()}; }
  std::vector<std::pair<std::string, at::Tensor>> state() override { return {{"t", t_}}; }

 private:
  double margin_, momentum_;
  at::Tensor t_ = at::zeros({}, at::kDouble);
};

}  // namespace

const LossEntry kCurricularface = {
    "curricularface",
    "hard classes weigh more as training goes on; Huang et al., CVPR 2020",
    {{"margin", 0.5, 0, 1.5, "radians added to the angle"},
     {"momentum", 0.01, 0, 1, "share of a batch in the running mean of the own cosines"}},
    [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<CurricularFace>(o); }};

}  // namespace likeness::train
