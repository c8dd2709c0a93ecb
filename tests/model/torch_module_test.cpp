// The module against the reference: outputs, every gradient, running statistics; state and its strictness.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/rng.h"
#include "model/graph/backbones.h"
#include "model/torch/module.h"
#include "model/torch/tensors.h"
#include "model/torch/tokens.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using test::drawn;
using test::golden;
using test::golden_images;
using test::Npz;
using test::relative_error;
using test::tensor_of;

TorchModel filled(const std::string& name, at::ScalarType dtype, int input = 112) {
  Graph graph = build_backbone({.name = name, .input = input});
  const Weights weights = deterministic_fill(graph);
  return TorchModel(std::move(graph), weights, dtype);
}

// The reference's vit_t was made without stochastic depth; with tokens masked, those whose indices are in the file.
TorchModel filled_vit(at::ScalarType dtype, bool masked) {
  Graph graph = build_backbone({.name = "vit_t"});
  for (Node& node : graph.nodes) {
    if (node.op == Op::kDropout || (node.op == Op::kMaskTokens && !masked)) node.dropout = 0;
  }
  const Weights weights = deterministic_fill(graph);
  return TorchModel(std::move(graph), weights, dtype);
}

constexpr std::uint64_t kMaskSeed = 1;

// Which tokens stay is ours to draw; the reference was made to keep the same ones.
void expect_the_references_mask(const Graph& graph, const Npz& reference) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op != Op::kMaskTokens) continue;
    const at::Tensor kept = kept_tokens(8, node.shape[0], node.dropout, Rng(kMaskSeed, Purpose::kDropout, 0, i));
    ASSERT_TRUE(at::equal(kept.to(at::kDouble), tensor_of(reference.at("vit_t_masked.kept"))));
  }
}

TEST(TorchModule, EvaluationEqualsTheReference) {
  const Npz reference(golden("forward.npz"));
  for (const std::string name : {"mbf", "r18", "vit_t"}) {
    const at::Tensor want = tensor_of(reference.at(name + ".f64"));
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
      const at::NoGradGuard no_grad;
      TorchModel model = filled(name, dtype);
      model.train(false);
      const at::Tensor got = model.forward(golden_images(dtype).narrow(0, 0, 2));
      EXPECT_EQ(got.scalar_type(), dtype);
      EXPECT_LT(relative_error(got, want), dtype == at::kDouble ? 1e-12 : 3e-6) << name << " " << dtype;
    }
  }
}

// Norm and projection of a tensor onto its own reference stream. Returns the relative error of the norm.
double expect_gradient(const at::Tensor& gradient, const std::string& stream, double norm, double projection,
                       double norm_tolerance, double projection_tolerance, const std::string& what) {
  const at::Tensor g = gradient.to(at::kDouble).contiguous();
  const double got_norm = g.norm().item<double>();
  const double got_projection = (g * drawn(stream, g.sizes())).sum().item<double>();
  if (norm < 1e-9) {  // zero in theory: a bias in front of a batch norm
    EXPECT_LT(got_norm, norm_tolerance < 1e-6 ? 1e-9 : 1e-2) << what;
    return 0;
  }
  EXPECT_NEAR(got_norm / norm, 1, norm_tolerance) << what;
  EXPECT_NEAR(got_projection / norm, projection / norm, projection_tolerance) << what;
  return got_norm / norm - 1;
}

void expect_training_step(const std::string& name, at::ScalarType dtype) {
  const Npz reference(golden("forward_train.npz"));
  std::ifstream file(golden("forward_train_names.json"));
  const bool vit = name.starts_with("vit_t");
  const nlohmann::json names = nlohmann::json::parse(file)[vit ? "vit_t" : name];
  const std::string key = name + ".f64.";
  const bool f64 = dtype == at::kDouble;

  TorchModel model = vit ? filled_vit(dtype, name == "vit_t_masked") : filled(name, dtype);
  model.seed_dropout(kMaskSeed, 0);
  if (name == "vit_t_masked") expect_the_references_mask(model.graph(), reference);
  const at::Tensor images = golden_images(dtype).detach().set_requires_grad(true);
  const at::Tensor output = model.forward(images);
  EXPECT_LT(relative_error(output, tensor_of(reference.at(key + "output"))), f64 ? 1e-9 : 1e-4) << name;
  const at::Tensor weight = drawn("grad_output", {8, 512}).to(at::kFloat).to(dtype);
  const at::Tensor loss = (output * weight).sum();
  EXPECT_NEAR(loss.item<double>() / reference.at(key + "loss").scalar(), 1, f64 ? 1e-9 : 1e-3);
  loss.backward();

  const double norm_tolerance = f64 ? 1e-9 : 2e-3, projection_tolerance = f64 ? 1e-9 : 2e-2;
  const std::vector<double> norms = reference.at(key + "grad_norm").as_double(),
                            projections = reference.at(key + "grad_proj").as_double();
  ASSERT_EQ(model.parameters().size(), names["params"].size());
  double squares = 0;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    const auto& [parameter, tensor] = model.parameters()[i];
    ASSERT_EQ(parameter, names["params"][i].get<std::string>());
    ASSERT_TRUE(tensor.grad().defined()) << parameter;
    const double error = expect_gradient(tensor.grad(), "proj:" + parameter, norms[i], projections[i], norm_tolerance,
                                         projection_tolerance, name + " " + parameter);
    squares += error * error;
  }
  const double typical = std::sqrt(squares / norms.size());
  testing::Test::RecordProperty("gradient_norm_error", std::to_string(typical));
  EXPECT_LT(typical, f64 ? 1e-10 : 5e-4) << "root mean square over all tensors; PyTorch in f32: 1.6e-4 to 3.4e-4";
  const std::vector<double> input = reference.at(key + "input_grad_norm").as_double();
  expect_gradient(images.grad(), "proj:input", input[0], input[1], norm_tolerance, projection_tolerance,
                  name + " input");
  if (f64) {
    const std::string conv = name == "mbf" ? "layers.0.layers.0.weight" : "conv1.weight";  // kept whole, but for vit
    for (const auto& [parameter, tensor] : model.parameters()) {
      if (parameter != conv) continue;
      EXPECT_LT(relative_error(tensor.grad(), tensor_of(reference.at(key + "grad." + conv))), 1e-9);
    }
  }
  const Weights state = model.state();
  const std::vector<double> buffer_norms = reference.at(key + "buffer_norm").as_double(),
                            buffer_projections = reference.at(key + "buffer_proj").as_double();
  for (std::size_t i = 0; i < buffer_norms.size(); ++i) {
    const std::string buffer = names["buffers"][i];
    expect_gradient(to_tensor(state.tensors.at(buffer), at::kDouble, buffer), "proj:" + buffer, buffer_norms[i],
                    buffer_projections[i], f64 ? 1e-9 : 1e-4, f64 ? 1e-9 : 1e-4, name + " " + buffer);
  }
}

TEST(TorchModule, TrainingStepEqualsTheReferenceMbfF64) { expect_training_step("mbf", at::kDouble); }
TEST(TorchModule, TrainingStepEqualsTheReferenceMbfF32) { expect_training_step("mbf", at::kFloat); }
TEST(TorchModule, TrainingStepEqualsTheReferenceR18F64) { expect_training_step("r18", at::kDouble); }
TEST(TorchModule, TrainingStepEqualsTheReferenceR18F32) { expect_training_step("r18", at::kFloat); }

TEST(TorchModule, TrainingStepEqualsTheReferenceVitF64) { expect_training_step("vit_t", at::kDouble); }
TEST(TorchModule, TrainingStepEqualsTheReferenceVitF32) { expect_training_step("vit_t", at::kFloat); }
TEST(TorchModule, TrainingStepWithMaskedTokensEqualsTheReferenceF64) {
  expect_training_step("vit_t_masked", at::kDouble);
}
TEST(TorchModule, TrainingStepWithMaskedTokensEqualsTheReferenceF32) {
  expect_training_step("vit_t_masked", at::kFloat);
}

TEST(TorchModule, StateSurvivesARoundTripAndCountsBatches) {
  TorchModel model = filled("mbf", at::kFloat, 32);
  const at::Tensor images = drawn("images", {2, 3, 32, 32}).to(at::kFloat);
  model.forward(images);
  const Weights state = model.state();
  EXPECT_EQ(state.tensors.at("layers.0.layers.1.num_batches_tracked").as_double().at(0), 1);
  TorchModel copy = filled("mbf", at::kFloat, 32);
  copy.load(state, "memory");
  EXPECT_EQ(weights_hash(copy.graph(), copy.state()), weights_hash(model.graph(), state));
  model.train(false);
  copy.train(false);
  EXPECT_TRUE(at::equal(model.forward(images), copy.forward(images)));
}

TEST(TorchModule, LoadKeepsTheTensorsThatAnOptimizerHolds) {
  TorchModel model = filled("mbf", at::kFloat, 32);
  const at::Tensor held = model.parameters()[0].second;
  Weights zeros = model.state();
  std::fill(zeros.tensors.at("layers.0.layers.0.weight").data.begin(),
            zeros.tensors.at("layers.0.layers.0.weight").data.end(), std::byte{0});
  model.load(zeros, "memory");
  EXPECT_EQ(held.abs().sum().item<double>(), 0);
  EXPECT_TRUE(held.requires_grad());
}

TEST(TorchModule, LoadIsStrict) {
  TorchModel model = filled("mbf", at::kFloat, 32);
  Weights missing = model.state(), extra = model.state(), reshaped = model.state();
  missing.tensors.erase("layers.0.layers.0.weight");
  EXPECT_THROW(model.load(missing, "memory"), Error);
  extra.tensors["surplus"] = WeightTensor::f32({1}, std::vector<float>{0}.data());
  EXPECT_THROW(model.load(extra, "memory"), Error);
  reshaped.tensors.at("layers.0.layers.0.weight").shape = {3, 128, 3, 3};
  EXPECT_THROW(model.load(reshaped, "memory"), Error);
}

TEST(TorchModule, RefusesPicturesOfAnotherShapeOrType) {
  TorchModel model = filled("mbf", at::kFloat, 32);
  EXPECT_THROW(model.forward(at::zeros({2, 3, 64, 64})), c10::Error);
  EXPECT_THROW(model.forward(at::zeros({2, 1, 32, 32})), c10::Error);
  EXPECT_THROW(model.forward(at::zeros({2, 3, 32, 32}, at::kDouble)), c10::Error);
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a.detach().to(at::kDouble).flatten(), b.detach().to(at::kDouble).flatten(), 0)
      .item<double>();
}

// Random networks amplify rounding (a weight of 8 bits is off by up to 0.4 %), so directions are compared, not digits.
TEST(TorchModule, Bf16GoesTheSameWayAsF32) {
  for (const std::string name : {"mbf", "r18", "vit_t"}) {
    TorchModel exact = filled(name, at::kFloat, 64), coarse = filled(name, at::kFloat, 64);
    coarse.set_bf16(true);
    const at::Tensor images = drawn("images", {8, 3, 64, 64}).to(at::kFloat);
    const at::Tensor r = drawn("r", {8, 512}).to(at::kFloat);
    for (TorchModel* model : {&exact, &coarse}) (model->forward(images) * r).sum().backward();
    std::vector<at::Tensor> gradients[2];
    for (std::size_t i = 0; i < exact.parameters().size(); ++i) {
      gradients[0].push_back(exact.parameters()[i].second.grad().flatten());
      gradients[1].push_back(coarse.parameters()[i].second.grad().flatten());
      EXPECT_EQ(gradients[1].back().scalar_type(), at::kFloat);
    }
    EXPECT_GT(cosine(at::cat(gradients[0]), at::cat(gradients[1])), 0.9) << name;
    const at::NoGradGuard no_grad;
    for (TorchModel* model : {&exact, &coarse}) model->train(false);
    const at::Tensor want = exact.forward(images), got = coarse.forward(images);
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    EXPECT_GT(cosine(want, got), 0.999) << name;
    EXPECT_FALSE(at::equal(want, got));
  }
  EXPECT_THROW(filled("mbf", at::kDouble, 32).set_bf16(true), c10::Error);
}

TEST(TorchModule, DropoutDependsOnSeedAndStepAlone) {
  Graph graph = build_backbone({.name = "r18", .input = 32, .embedding = 64, .dropout = 0.5});
  const Weights weights = deterministic_fill(graph);
  const at::NoGradGuard no_grad;
  const auto output = [&](std::uint64_t seed, std::int64_t step, int forwards) {
    TorchModel model(graph, weights, at::kDouble);
    model.seed_dropout(seed, step);
    at::Tensor out;
    for (int i = 0; i < forwards; ++i) out = model.forward(drawn("images", {2, 3, 32, 32}));
    return out;
  };
  EXPECT_TRUE(at::equal(output(1, 5, 1), output(1, 5, 1)));
  EXPECT_FALSE(at::equal(output(1, 5, 1), output(1, 6, 1)));
  EXPECT_FALSE(at::equal(output(1, 5, 1), output(2, 5, 1)));
  EXPECT_TRUE(
      at::equal(output(1, 5, 2), output(1, 6, 1)));  // batch statistics make the outputs depend on the mask alone
}

TEST(NormalisePixels, IsExactInBothOrdersAndTypes) {
  at::Tensor pixels = at::empty({2, 5, 7, 3}, at::kByte);
  for (std::int64_t i = 0; i < pixels.numel(); ++i)
    pixels.data_ptr<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 37);
  const std::vector<double> mean = {123.675, 116.28, 103.53}, std = {58.395, 57.12, 57.375};
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    for (const bool bgr : {false, true}) {
      const at::Tensor got = normalise_pixels(pixels, mean, std, bgr, dtype);
      at::Tensor want = bgr ? pixels.flip(3) : pixels;
      want = ((want.to(at::kDouble) - at::tensor(mean, at::kDouble)) / at::tensor(std, at::kDouble))
                 .to(dtype)
                 .permute({0, 3, 1, 2});
      EXPECT_TRUE(at::equal(got, want)) << dtype << " " << bgr;
      EXPECT_TRUE(got.is_contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

TEST(TorchModel, TheFirstNonFiniteOutputIsNamedEvenWithoutParameters) {
  GraphBuilder g("sum", 16, 16);
  const int a = g.conv("a", g.input(), {.channels = 2, .kernel = 3, .stride = 4, .padding = 1});
  const int x = g.flatten("flatten", g.add("twice", a, a));
  const Graph graph = g.finish(g.linear("fc", x, 4, false));
  TorchModel m(graph, initial_weights(graph, 1), at::kFloat);
  EXPECT_EQ(m.first_non_finite(at::ones({2, 3, 16, 16})), "");
  at::NoGradGuard no_grad;
  at::Tensor weight = m.parameters().front().second;
  weight.fill_(1.5e37f);  // a sum of 27 halves is finite, twice that is not
  EXPECT_EQ(m.first_non_finite(at::full({2, 3, 16, 16}, .5f)), "output of twice");
  weight.fill_(std::numeric_limits<float>::infinity());
  EXPECT_EQ(m.first_non_finite(at::ones({2, 3, 16, 16})), "parameter a.weight");
}

}  // namespace
}  // namespace likeness::model
