// SphereFace2: a binary classifier for every class, with one learnt bias; Wen et al., ICLR 2022, eq. 5-8. With
// g(c) = 2 ((1 + c) / 2)^t - 1,
//
//   loss = weight / s (alpha softplus(-(s v + b)) + (1 - alpha) sum_j softplus(s g(cos_j) + shift + b))
//   type C   v = g(cos_y) - m, shift = s m
//   type A   v = g(cos(theta_y + m)), shift = 0; past pi the angle stays pi
//
// b starts where a picture at a right angle to every centre has as large a gradient from its own class as from all the
// others together (ibid., appendix; opensphere). The authors' code takes g on the way back as the identity:
// `gradient: straight_through`.
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "train/head/losses/losses.h"

namespace likeness::train {
namespace {

class SphereFace2 : public Loss {
 public:
  explicit SphereFace2(const LossOptions& o)
      : scale_(o.at("scale")),
        margin_(o.at("margin")),
        alpha_(o.at("alpha")),
        weight_(o.at("weight")),
        power_(static_cast<int>(o.at("t")) + 1),  // its place among the choices 1, 2, …
        additive_(o.at("type") == 0) {}

  Margined apply(const Samples& s) override {
    if (additive_) return {.value = g(s.cosine) - margin_};
    return {.value = g((angle_of(s.cosine) + margin_).clamp_max(std::numbers::pi).cos())};
  }
  Others<double> others() const override { return {.kind = OthersKind::kPower, .power = power_}; }
  BinaryTerms binary(const HeadSize& size) const override {
    const double shift = additive_ ? scale_ * margin_ : 0;
    const auto g_at = [&](double cosine) { return 2 * std::pow((cosine + 1) / 2, power_) - 1; };
    const double own =
        additive_ ? g_at(0) - margin_ : g_at(std::cos(std::min(std::numbers::pi, std::numbers::pi / 2 + margin_)));
    const double own_logit = scale_ * own, other_logit = scale_ * g_at(0) + shift;
    const double z = alpha_ / ((1 - alpha_) * static_cast<double>(std::max<std::int64_t>(1, size.classes - 1)));
    const double root = std::sqrt((1 - z) * (1 - z) + 4 * z * std::exp(own_logit - other_logit));
    return {.positive = weight_ / scale_ * alpha_,
            .negative = weight_ / scale_ * (1 - alpha_),
            .shift = shift,
            .first_bias = std::log(2 * z) - other_logit - std::log(1 - z + root)};
  }

 private:
  at::Tensor g(const at::Tensor& cosine) const { return 2 * ((cosine + 1) / 2).pow(power_) - 1; }

  double scale_, margin_, alpha_, weight_;
  int power_;
  bool additive_;
};

}  // namespace

const LossEntry kSphereface2 = {
    "sphereface2",
    "a binary classifier for every class; Wen et al., ICLR 2022",
    {{"margin", 0.4, 0, 1.5, "of the cosine (type C) or of the angle in radians (type A)"},
     {"type", 0, 0, 1, "C: the margin on both sides of the cosine; A: on the own class's angle", {"C", "A"}},
     {"alpha", 0.7, 0.01, 0.99, "lambda: weight of the own class's term; the others have 1 - alpha"},
     {"t", 2, 0, 4, "how far g spreads large cosines; 1: not at all", {"1", "2", "3", "4", "5"}},
     {"weight", 50, 1e-6, 1e6, "factor on the loss: the authors' 50 makes up for 1 / scale"}},
    [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<SphereFace2>(o); },
    Reduction::kBinary};

}  // namespace likeness::train
