// Fixed margins, cos(m1 theta + m2) - m3, through the functions that CPU and CUDA share (margin.h).
#include <torch/torch.h>

#include "train/head/losses/losses.h"
#include "train/head/margin_op.h"

namespace likeness::train {
namespace {

class FixedMargin : public Loss {
 public:
  explicit FixedMargin(const Margin& margin) : margin_(margin) {}
  Margined apply(const Samples& s) override {
    std::tie(value_, slope_) = margin_points(s.cosine.detach(), margin_);
    return {.value = value_};
  }
  at::Tensor slope(const Samples&, const Margined&) override { return slope_; }

 private:
  Margin margin_;
  at::Tensor value_, slope_;
};

const LossKey kPastPi = {
    "past_pi",
    0,
    0,
    3,
    "where the margin pushes the angle past pi: linear cos - m sin m; mirror: smooth, any m1; continue: "
    "the cosine rises again (arcface_torch); easy: no margin where the cosine is not positive",
    {"linear", "mirror", "continue", "easy"}};

PastPi past_pi(const LossOptions& o) {
  return std::array{PastPi::kLinear, PastPi::kMirror, PastPi::kContinue,
                    PastPi::kEasy}[static_cast<std::size_t>(o.at("past_pi"))];
}

std::unique_ptr<Loss> make_arcface(const LossOptions& o) {
  return std::make_unique<FixedMargin>(Margin{.m2 = o.at("margin"), .past_pi = past_pi(o)});
}
std::unique_ptr<Loss> make_cosface(const LossOptions& o) {
  return std::make_unique<FixedMargin>(Margin{.m3 = o.at("margin")});
}
std::unique_ptr<Loss> make_combined(const LossOptions& o) {
  // Linear continuation is defined for m1 = 1 only.
  const PastPi past = past_pi(o) == PastPi::kLinear && o.at("m1") != 1 ? PastPi::kMirror : past_pi(o);
  return std::make_unique<FixedMargin>(Margin{.m1 = o.at("m1"), .m2 = o.at("m2"), .m3 = o.at("m3"), .past_pi = past});
}
std::unique_ptr<Loss> make_sphereface(const LossOptions& o) {
  return std::make_unique<FixedMargin>(Margin{.m1 = o.at("margin"), .past_pi = PastPi::kMirror});
}

}  // namespace

const LossEntry kArcface = {"arcface",
                            "cos(theta + margin); Deng et al., CVPR 2019",
                            {{"margin", 0.5, 0, 1.5, "radians added to the angle"}, kPastPi},
                            make_arcface};
const LossEntry kCosface = {"cosface",
                            "cos(theta) - margin; Wang et al., CVPR 2018",
                            {{"margin", 0.4, 0, 1.5, "subtracted from the cosine"}},
                            make_cosface};
const LossEntry kCombined = {"combined",
                             "cos(m1 theta + m2) - m3, all three counting; Deng et al., CVPR 2019, eq. 4",
                             {{"m1", 1, 0.1, 10, "factor on the angle"},
                              {"m2", 0.3, 0, 1.5, "radians added to the angle"},
                              {"m3", 0.2, 0, 1.5, "subtracted from the cosine"},
                              kPastPi},
                             make_combined};
const LossEntry kSphereface = {"sphereface",
                               "cos(margin theta), mirrored past pi; Liu et al., CVPR 2017",
                               {{"margin", 1.7, 1, 10, "factor on the angle"}},
                               make_sphereface};

}  // namespace likeness::train
