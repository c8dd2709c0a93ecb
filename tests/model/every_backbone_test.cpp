// What every backbone of the table must do, and the one that docs/add-a-backbone.md shows.
#include <gtest/gtest.h>

#include "model/graph/backbone_table.h"
#include "model/graph/interpreter.h"
#include "model/graph/onnx.h"
#include "model/torch/module.h"
#include "tests/model/reference.h"
#include "tests/model/torch_support.h"
#include "tests/support/docs.h"

namespace likeness::model {

Graph build_plain(const BackboneOptions& o);  // example_backbone.cpp

namespace {

using test::drawn;

constexpr int kSide = 32, kDimension = 16, kPictures = 4;
constexpr std::int64_t kLargest = 20'000'000;  // parameters: the others take minutes

std::vector<double> interpreted(const Graph& graph, const Weights& weights, const at::Tensor& images) {
  const double* values = images.const_data_ptr<double>();
  return Interpreter(graph, weights).run({values, values + images.numel()}, images.size(0));
}

void expect_the_interpreters_embeddings(const Graph& graph, const Weights& weights) {
  const at::NoGradGuard no_grad;
  const at::Tensor images = drawn("images", {kPictures, 3, kSide, kSide});
  const at::Tensor want = at::tensor(interpreted(graph, weights, images), at::kDouble).reshape({kPictures, kDimension});
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    TorchModel model(graph, weights, dtype);
    model.train(false);
    EXPECT_LT(test::relative_error(model.forward(images.to(dtype)), want), dtype == at::kDouble ? 1e-12 : 1e-5);
  }
}

// All parameters together along a random direction, in training mode with its random parts held still.
void expect_gradients_of_differences(const Graph& graph, const Weights& weights) {
  TorchModel model(graph, weights, at::kDouble);
  const at::Tensor images = drawn("images", {kPictures, 3, kSide, kSide}), r = drawn("r", {kPictures, kDimension});
  const auto loss = [&] {
    model.seed_dropout(3, 7);
    return (model.forward(images) * r).sum();
  };
  loss().backward();
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> directions;
  double analytic = 0, squares = 0;
  for (const auto& [name, parameter] : model.parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    directions.push_back(drawn("direction:" + name, parameter.sizes()));
    analytic += (parameter.grad() * directions.back()).sum().item<double>();
    squares += directions.back().square().sum().item<double>();
  }
  const double step = 1e-5 / std::sqrt(squares);
  const auto moved = [&](double by) {
    for (std::size_t i = 0; i < directions.size(); ++i)
      at::Tensor(model.parameters()[i].second).add_(directions[i], by);
    return loss().item<double>();
  };
  const double above = moved(step), below = moved(-2 * step), numeric = (above - below) / (2 * step);
  EXPECT_NEAR(analytic, numeric, 1e-6 * std::max(1.0, std::abs(numeric)));
}

void expect_the_way_through_onnx(const Graph& graph, const Weights& weights) {
  const std::string file = to_onnx(graph, weights, arcface_contract(kSide), {});
  const OnnxModel back = parse_onnx(std::as_bytes(std::span(file)), "memory");
  const at::Tensor images = drawn("images", {2, 3, kSide, kSide});
  EXPECT_EQ(interpreted(back.graph, back.weights, images), interpreted(graph, weights, images));
}

class EveryBackbone : public testing::TestWithParam<std::string> {
 protected:
  const Graph graph_ = build_backbone({.name = GetParam(), .input = kSide, .embedding = kDimension});
  const Weights weights_ = deterministic_fill(graph_);
};

TEST_P(EveryBackbone, HasTheInterpretersEmbeddings) { expect_the_interpreters_embeddings(graph_, weights_); }
TEST_P(EveryBackbone, HasTheGradientsOfDifferences) { expect_gradients_of_differences(graph_, weights_); }
TEST_P(EveryBackbone, GoesThroughOnnx) { expect_the_way_through_onnx(graph_, weights_); }

std::vector<std::string> small_ones() {
  std::vector<std::string> names;
  for (const std::string& name : backbone_names()) {
    const Graph graph = build_backbone({.name = name, .input = kSide, .embedding = kDimension});
    if (graph.parameter_count() <= kLargest) names.push_back(name);
  }
  return names;
}
INSTANTIATE_TEST_SUITE_P(Small, EveryBackbone, testing::ValuesIn(small_ones()));

TEST(BackboneTable, NamesAreUnique) {
  std::vector<std::string> names = backbone_names();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Docs, TheBackboneShownIsTheOneCompiled) {
  EXPECT_TRUE(test::is_compiled_in("add-a-backbone.md", "tests/model/example_backbone.cpp"));
}

TEST(Docs, TheBackboneShownWorks) {
  const Graph graph = build_plain({.name = "plain", .input = kSide, .embedding = kDimension});
  EXPECT_EQ(graph.dimension, kDimension);
  for (const Weights& weights : {deterministic_fill(graph), initial_weights(graph, 1)}) {
    expect_the_interpreters_embeddings(graph, weights);
    expect_gradients_of_differences(graph, weights);
    expect_the_way_through_onnx(graph, weights);
  }
}

}  // namespace
}  // namespace likeness::model
