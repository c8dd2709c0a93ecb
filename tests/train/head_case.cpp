#include "tests/train/head_case.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace likeness::test {

at::Tensor tensor_of(const Array& a) { return at::tensor(a.as_double(), at::kDouble).reshape(a.shape); }
at::Tensor labels_of(const Array& a) { return at::tensor(a.as_int(), at::kLong); }

// Every entry within 1e-12 of the array's largest; entries where the reference is not finite must be finite here.
void expect_equal(const at::Tensor& got, const Array& reference, const std::string& what, double tolerance) {
  const auto want = reference.as_double();
  const at::Tensor flat = got.contiguous().flatten();
  ASSERT_EQ(flat.numel(), static_cast<std::int64_t>(want.size())) << what;
  double largest = 0;
  for (double v : want)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const double g = flat[i].item<double>(), r = want[static_cast<std::size_t>(i)];
    if (std::isfinite(r))
      EXPECT_NEAR(g, r, tolerance * largest) << what << " " << i;
    else
      EXPECT_TRUE(std::isfinite(g)) << what << " " << i;
  }
}

HeadResult run_head(train::Classifier& head, const at::Tensor& embeddings, const at::Tensor& labels,
                    std::int64_t step) {
  train::HeadGradient gradient = head.zero_gradient();
  const train::HeadStep s = head.step(embeddings, labels, step, nullptr, &gradient);
  return {s.loss, s.embeddings, gradient.centres, gradient.bias};
}

train::Classifier head_with(const train::LossOptions& loss, const at::Tensor& weight, train::ClassifierOptions options,
                            train::Group* group) {
  options.classes = weight.size(0) / options.sub_centers, options.dimension = weight.size(1), options.loss = loss;
  train::Classifier head(options, weight.scalar_type(), group);
  head.weight().copy_(weight.narrow(0, head.range().begin * options.sub_centers, head.weight().size(0)));
  return head;
}

std::vector<std::string> loss_names() {
  std::vector<std::string> names;
  for (const train::LossEntry* entry : train::loss_table()) names.push_back(entry->name);
  return names;
}

}  // namespace likeness::test
