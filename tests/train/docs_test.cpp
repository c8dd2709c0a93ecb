// What the documentation shows is what was compiled here, and it works.
#include "tests/support/docs.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "train/head/loss.h"

namespace likeness::train {

extern const LossEntry kLinearMargin;  // example_loss.cpp

namespace {

TEST(Docs, TheLossShownIsTheOneCompiled) {
  EXPECT_TRUE(test::is_compiled_in("add-a-loss.md", "tests/train/example_loss.cpp"));
}

TEST(Docs, TheLossShownWorks) {
  const LossOptions options{"cosface", {{"margin", .45}}};  // its own name is not in the table
  const auto loss = kLinearMargin.make(options);
  const at::Tensor cosine = at::tensor({-.9, 0., .3, 1.}, at::kDouble);
  const Samples samples{.cosine = cosine, .norm = at::ones({4}, at::kDouble), .known = at::ones({4}, at::kBool)};
  const Slopes s = apply_with_slopes(*loss, samples, false);
  for (std::int64_t i = 0; i < 4; ++i) {
    const double c = cosine[i].item<double>();
    EXPECT_NEAR(s.margined.value[i].item<double>(), 1 - 2 / M_PI * (std::acos(c) + .45), 1e-7);
    if (c < 1) {
      EXPECT_NEAR(s.by_cosine[i].item<double>(), 2 / M_PI / std::sqrt(1 - c * c), 1e-12);
    }
  }
  EXPECT_TRUE(at::isfinite(s.by_cosine).all().item<bool>());
}

}  // namespace
}  // namespace likeness::train
