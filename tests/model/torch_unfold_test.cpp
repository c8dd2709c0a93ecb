// A network out of an exporter's file in training mode.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "model/graph/unfold.h"
#include "model/torch/module.h"
#include "tests/model/folded.h"
#include "tests/model/reference.h"

namespace likeness::model {
namespace {

at::Tensor output(TorchModel& model, const at::Tensor& images, bool training) {
  model.train(training);
  return model.forward(images);
}

double relative(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

TEST(TorchUnfold, TrainingBeginsNearTheFileOnceStatisticsAreTheDatas) {
  constexpr std::int64_t kCount = 32;
  Folded folded = fold(small_foreign_graph(), deterministic_fill(small_foreign_graph()));
  std::vector<double> pictures = Stream("pictures").uniform(kCount * 3 * 16 * 16, -1, 1);
  const std::vector<std::string> restored = restore_batch_norms(&folded.graph, &folded.weights);
  const at::Tensor images = at::from_blob(pictures.data(), {kCount, 3, 16, 16}, at::kDouble);
  TorchModel as_restored(folded.graph, folded.weights, at::kDouble);
  const at::Tensor file = output(as_restored, images, false).detach();
  EXPECT_GT(relative(output(as_restored, images, true), file), 0.3)
      << "batch statistics change what was never normalised";

  restate_batch_norms(folded.graph, &folded.weights, restored, pictures, kCount, 1);
  TorchModel model(folded.graph, folded.weights, at::kDouble);
  EXPECT_LT(relative(output(model, images, false), file), 1e-6);
  const at::Tensor trained = output(model, images, true);
  EXPECT_LT(relative(trained, file), 0.02);  // variances are divided by N here, by N - 1 there; N is 32 at the end
  trained.square().sum().backward();
  for (const auto& [name, value] : model.parameters()) {
    ASSERT_TRUE(value.grad().defined()) << name;
    EXPECT_TRUE(at::isfinite(value.grad()).all().item<bool>()) << name;
  }
}

}  // namespace
}  // namespace likeness::model
