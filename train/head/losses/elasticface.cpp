// ElasticFace: every sample draws its own margin from a normal distribution; Boutros et al., CVPRW 2022. `plus` hands
// the larger margins to the harder samples: as in the authors' losses.py the indices of the sorted cosines are used as
// if they were ranks. Draws are a function of (seed, step, place in the batch of all ranks).
#include "train/head/losses/elasticface.h"

#include <torch/torch.h>

#include "core/rng.h"
#include "train/head/losses/losses.h"

namespace likeness::train {

at::Tensor draw_margins(double mean, double deviation, const Samples& s) {
  at::Tensor margins = at::empty({s.cosine.size(0)}, at::kDouble);
  double* m = margins.mutable_data_ptr<double>();
  for (std::int64_t b = 0; b < margins.size(0); ++b) {
    Rng rng(s.seed, Purpose::kMargin, static_cast<std::uint64_t>(s.step), static_cast<std::uint64_t>(b));
    m[b] = std::clamp(mean + deviation * rng.normal(), mean - deviation, mean + deviation);
  }
  return margins.to(s.cosine.device());
}

Margined elastic(const Samples& s, const at::Tensor& drawn, bool plus, bool angular) {
  at::Tensor m = drawn;
  if (plus) {
    const at::Tensor cosine = s.cosine.detach().masked_select(s.known);
    const at::Tensor sorted = std::get<0>(drawn.masked_select(s.known).sort());
    m = drawn.masked_scatter(s.known, sorted.index_select(0, cosine.argsort(0, true)));
  }
  return {.value = angular ? (angle_of(s.cosine) + m).cos() : s.cosine - m};
}

namespace {

class ElasticFace : public Loss {
 public:
  ElasticFace(const LossOptions& o, bool angular)
      : mean_(o.at("margin")), deviation_(o.at("deviation")), plus_(o.at("plus") != 0), angular_(angular) {}
  Margined apply(const Samples& s) override { return elastic(s, draw_margins(mean_, deviation_, s), plus_, angular_); }

 private:
  double mean_, deviation_;
  bool plus_, angular_;
};

template <bool kAngular>
std::unique_ptr<Loss> make(const LossOptions& o) {
  return std::make_unique<ElasticFace>(o, kAngular);
}

const LossKey kPlus = {"plus", 0, 0, 1, "true: the larger margins go to the harder samples", {"false", "true"}};

}  // namespace

const LossEntry kElasticArcface = {"elastic_arcface",
                                   "ArcFace with a margin drawn per sample; Boutros et al., CVPRW 2022",
                                   {{"margin", 0.5, 0, 1.5, "mean of the drawn margins, radians"},
                                    {"deviation", 0.05, 0, 1, "standard deviation of the drawn margins"},
                                    kPlus},
                                   make<true>};
const LossEntry kElasticCosface = {"elastic_cosface",
                                   "CosFace with a margin drawn per sample; Boutros et al., CVPRW 2022",
                                   {{"margin", 0.35, 0, 1.5, "mean of the drawn margins, cosine"},
                                    {"deviation", 0.05, 0, 1, "standard deviation of the drawn margins"},
                                    kPlus},
                                   make<false>};

}  // namespace likeness::train
