// The large Vision Transformers through the module: minutes and gigabytes, so not in the default run.
#include <gtest/gtest.h>

#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

class DeepModule : public testing::TestWithParam<const char*> {};

TEST_P(DeepModule, EvaluationEqualsTheReference) {
  const test::Npz reference(test::golden("forward.npz"));
  const at::Tensor want = test::tensor_of(reference.at(std::string(GetParam()) + ".f64"));
  const Graph graph = build_backbone({.name = GetParam()});
  const Weights weights = deterministic_fill(graph);
  const at::NoGradGuard no_grad;
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    TorchModel model(graph, weights, dtype);
    model.train(false);
    const at::Tensor got = model.forward(test::golden_images(dtype).narrow(0, 0, 2));
    EXPECT_LT(test::relative_error(got, want), dtype == at::kDouble ? 1e-12 : 3e-6) << dtype;
  }
}
INSTANTIATE_TEST_SUITE_P(Deep, DeepModule, testing::Values("vit_s", "vit_b", "vit_l_dp005_mask_005"));

}  // namespace
}  // namespace likeness::model
