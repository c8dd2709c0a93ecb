// UniFace: unified cross-entropy. One threshold, shared by all classes and learnt, stands between the cosines with the
// own class and those with all others, as it does when faces are verified; Zhou et al., ICCV 2023. With the bias b,
// loss = softplus(-(s (cos_y - m) + b)) + negatives * sum_j softplus(s cos_j + b); the threshold is -b / s. b starts at
// -log(10 C rate) as in the authors' head.py, which keeps -b, and cuts logits off to [-s, s], with no gradient beyond;
// here the softplus is computed without overflow instead.
#include <torch/torch.h>

#include <cmath>

#include "train/head/losses/losses.h"

namespace likeness::train {
namespace {

class UniFace : public Loss {
 public:
  explicit UniFace(const LossOptions& o) : margin_(o.at("margin")), negatives_(o.at("negatives")) {}
  Margined apply(const Samples& s) override { return {.value = s.cosine - margin_}; }
  BinaryTerms binary(const HeadSize& size) const override {
    const double taking_part = std::max(1.0, static_cast<double>(size.classes) * size.sample_rate);
    return {.negative = negatives_, .first_bias = -std::log(10 * taking_part)};
  }

 private:
  double margin_, negatives_;
};

}  // namespace

const LossEntry kUniface = {"uniface",
                            "one learnt threshold for all classes; Zhou et al., ICCV 2023",
                            {{"margin", 0.4, 0, 1.5, "subtracted from the own cosine"},
                             {"negatives", 1, 0, 1e3, "weight of the other classes' terms against the own class's"}},
                            [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<UniFace>(o); },
                            Reduction::kBinary};

}  // namespace likeness::train
