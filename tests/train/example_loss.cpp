// The loss of docs/add-a-loss.md, as printed there.
#include <torch/torch.h>

#include "train/head/losses/losses.h"

namespace likeness::train {
extern const LossEntry kLinearMargin;  // as losses.h would say
}

// clang-format off
namespace likeness::train {
namespace {

class LinearMargin : public Loss {
 public:
  explicit LinearMargin(const LossOptions& o) : margin_(o.at("margin")) {}
  Margined apply(const Samples& s) override {
    return {.value = 1 - 2 / M_PI * (angle_of(s.cosine) + margin_)};
  }

 private:
  double margin_;
};

}  // namespace

const LossEntry kLinearMargin = {
    "linear", "falls linearly with the angle: 1 - 2 (theta + margin) / pi",
    {{"margin", 0.45, 0, 1.5, "radians added to the angle"}},
    [](const LossOptions& o) -> std::unique_ptr<Loss> { return std::make_unique<LinearMargin>(o); }};

}  // namespace likeness::train
