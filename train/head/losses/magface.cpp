// MagFace: an angular margin that grows with the embedding's norm, and a regulariser that rewards a large one, so that
// the norm becomes the picture's quality; Meng et al., CVPR 2021. As in the authors' magface.py: the gradient flows
// through the norm into both, and is 0 outside [low, high].
#include <torch/torch.h>

#include "train/head/losses/losses.h"

namespace likeness::train {
namespace {

class MagFace : public Loss {
 public:
  explicit MagFace(const LossOptions& options) : o_(options) {}
  Margined apply(const Samples& s) override {
    const double low = o_.at("low"), high = o_.at("high"), least = o_.at("margin_low"), most = o_.at("margin_high");
    const at::Tensor a = s.norm.clamp(low, high);
    const at::Tensor m = (a - low) * ((most - least) / (high - low)) + least;
    const at::Tensor shifted = s.cosine * m.cos() - sine_of(s.cosine) * m.sin();
    // Past pi the cosine would rise again; the easy form has no margin where the cosine is not positive.
    const at::Tensor value = o_.at("easy_margin") != 0
                                 ? at::where(s.cosine > 0, shifted, s.cosine)
                                 : at::where(s.cosine > -m.cos(), shifted, s.cosine - m.sin() * m);
    return {.value = value, .extra = o_.at("regulariser") * (a / (high * high) + 1 / a)};
  }

 private:
  LossOptions o_;
};

}  // namespace

const LossEntry kMagface = {
    "magface",
    "margin and a regulariser that follow the norm; Meng et al., CVPR 2021",
    {{"low", 10, 0.1, 1e4, "norm at and below which the margin is margin_low"},
     {"high", 110, 0.1, 1e4, "norm at and above which the margin is margin_high"},
     {"margin_low", 0.45, 0, 1.5, "radians"},
     {"margin_high", 0.8, 0, 1.5, "radians"},
     {"regulariser", 35, 0, 1e4, "lambda_g: weight of norm / high^2 + 1 / norm"},
     {"easy_margin", 0, 0, 1, "true: no margin where the cosine is not positive", {"false", "true"}}},
    [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<MagFace>(o); }};

}  // namespace likeness::train
