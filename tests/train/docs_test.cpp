// What the documentation shows is what was compiled here, and it works.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <sstream>

#include "tests/support/paths.h"
#include "train/head/loss.h"

namespace likeness::train {

extern const LossEntry kLinearMargin;  // example_loss.cpp

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The first block fenced by ```cpp.
std::string first_code(const std::string& markdown) {
  const std::size_t begin = markdown.find("```cpp\n") + 7;
  return markdown.substr(begin, markdown.find("```", begin) - begin);
}

TEST(Docs, TheLossShownIsTheOneCompiled) {
  const std::string shown = first_code(text_of(test::source_dir() / "docs/add-a-loss.md"));
  EXPECT_GT(shown.size(), 500u);
  EXPECT_NE(text_of(test::source_dir() / "tests/train/example_loss.cpp").find(shown), std::string::npos);
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
