// Binary losses: the references' numbers, the formula written out densely, the bias and its life in a checkpoint.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "tests/train/head_case.h"
#include "train/head/classifier.h"

namespace likeness::train {
namespace {

using test::expect_equal;
using test::head_with;
using test::HeadResult;
using test::labels_of;
using test::run_head;
using test::tensor_of;

const test::Npz& goldens() {
  static const test::Npz npz(test::golden("heads_binary.npz"));
  return npz;
}

// The authors' code, run in f64: tests/goldens/README.md.
TEST(BinaryLoss, UniFaceEqualsTheAuthors) {
  Classifier head = head_with({"uniface"}, tensor_of(goldens().at("weights")));
  const std::string prefix = "uniface.";
  EXPECT_NEAR(-head.bias().item<double>(), goldens().at(prefix + "bias").as_double().at(0), 1e-14);
  const HeadResult r = run_head(head, tensor_of(goldens().at("embeddings")), labels_of(goldens().at("labels")));
  const double want = goldens().at(prefix + "loss").scalar();
  EXPECT_NEAR(r.loss.item<double>(), want, 1e-12 * want);
  expect_equal(r.embeddings, goldens().at(prefix + "grad_embeddings"), "embeddings");
  expect_equal(r.weight, goldens().at(prefix + "grad_weights"), "weights");
  expect_equal(-r.bias, goldens().at(prefix + "grad_bias"), "bias");  // the authors subtract theirs
}

// opensphere normalises the centres in place and takes the gradient at the unit centres, without the normalisation's
// share: what ours is along the sphere.
TEST(BinaryLoss, SphereFace2EqualsOpenSphere) {
  const at::Tensor w = tensor_of(goldens().at("weights")), unit = w / w.norm(2, {1}, true);
  Classifier head = head_with({"sphereface2", {{"scale", 40}, {"gradient", 1}}}, unit);
  const std::string prefix = "sphereface2.";
  EXPECT_NEAR(head.bias().item<double>(), goldens().at(prefix + "bias").as_double().at(0), 1e-6);  // theirs is f32
  head.bias().fill_(goldens().at(prefix + "bias").as_double().at(0));
  const HeadResult r = run_head(head, tensor_of(goldens().at("embeddings")), labels_of(goldens().at("labels")));
  const double want = goldens().at(prefix + "loss").scalar();
  EXPECT_NEAR(r.loss.item<double>(), want, 1e-12 * want);
  expect_equal(r.embeddings, goldens().at(prefix + "grad_embeddings"), "embeddings");
  expect_equal(r.bias, goldens().at(prefix + "grad_bias"), "bias");
  const at::Tensor theirs = tensor_of(goldens().at(prefix + "grad_weights"));
  const at::Tensor along = theirs - unit * (theirs * unit).sum(1, true);
  EXPECT_LT((r.weight - along).abs().max().item<double>(), 1e-12 * along.abs().max().item<double>());
}

struct Case {
  std::string name;
  LossOptions loss;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Written : public testing::TestWithParam<Case> {};

// The loss as the papers write it, over the whole matrix at once, by autograd.
at::Tensor written_out(const LossOptions& o, const at::Tensor& cosines, const at::Tensor& labels, const at::Tensor& b) {
  const at::Tensor own = at::one_hot(labels, cosines.size(1)).to(at::kBool);
  const double s = o.at("scale"), m = o.at("margin");
  if (o.name == "uniface") {
    const at::Tensor positive = at::log1p(at::exp(-(s * (cosines - m) + b))),
                     negative = at::log1p(at::exp(s * cosines + b));
    return at::where(own, positive, o.at("negatives") * negative).sum(1).mean();
  }
  const double alpha = o.at("alpha"), t = o.at("t") + 1;
  const auto g = [t](const at::Tensor& c) { return 2 * at::pow((c + 1) / 2, t) - 1; };
  const bool additive = o.at("type") == 0;
  const at::Tensor positive = additive ? g(cosines) - m : g((cosines.acos() + m).clamp_max(M_PI).cos()),
                   negative = additive ? g(cosines) + m : g(cosines);
  const at::Tensor loss = at::where(own, alpha * at::log1p(at::exp(-(s * positive + b))),
                                    (1 - alpha) * at::log1p(at::exp(s * negative + b)));
  return o.at("weight") / s * loss.sum(1).mean();
}

TEST_P(Written, LossAndGradientsAreThoseOfTheWholeMatrix) {
  const LossOptions& loss = GetParam().loss;
  const std::int64_t classes = 301, dimension = 24, batch = 11;
  at::Tensor w = at::sin(at::arange(classes * dimension, at::kDouble) * 1.7).reshape({classes, dimension});
  at::Tensor e = at::cos(at::arange(batch * dimension, at::kDouble) * .9).reshape({batch, dimension}) * 3;
  const at::Tensor labels = (at::arange(batch, at::kLong) * 37) % classes;
  Classifier head = head_with(loss, w);
  at::Tensor bias = head.bias().clone().requires_grad_(true);
  w.requires_grad_(true), e.requires_grad_(true);
  const at::Tensor cosines = at::mm(e / e.norm(2, {1}, true), (w / w.norm(2, {1}, true)).t());
  const at::Tensor want = written_out(loss, cosines, labels, bias);
  want.backward();
  const HeadResult r = run_head(head, e.detach(), labels);
  EXPECT_NEAR(r.loss.item<double>(), want.item<double>(), 1e-12 * want.item<double>());
  EXPECT_LT(((r.embeddings - e.grad()).norm() / e.grad().norm()).item<double>(), 1e-11);
  EXPECT_LT(((r.weight - w.grad()).norm() / w.grad().norm()).item<double>(), 1e-11);
  EXPECT_NEAR(r.bias.item<double>(), bias.grad().item<double>(), 1e-11 * std::abs(bias.grad().item<double>()));
}

INSTANTIATE_TEST_SUITE_P(
    BinaryLoss, Written,
    testing::Values(Case{"uniface", {"uniface", {{"scale", 20}}}},
                    Case{"uniface_weighted", {"uniface", {{"scale", 20}, {"negatives", .3}, {"margin", .1}}}},
                    Case{"sphereface2_C", {"sphereface2", {{"scale", 20}}}},
                    Case{"sphereface2_A", {"sphereface2", {{"scale", 20}, {"type", 1}, {"margin", .5}}}},
                    Case{"sphereface2_t1", {"sphereface2", {{"scale", 30}, {"t", 0}, {"alpha", .5}, {"weight", 1}}}}),
    [](const auto& info) { return info.param.name; });

// SphereFace2's start: for a picture at a right angle to every centre, the gradients by the bias of its own class and
// of all others together cancel.
TEST(BinaryLoss, SphereFace2StartsInBalance) {
  for (const double type : {0., 1.}) {
    const std::int64_t classes = 50;
    at::Tensor w = at::zeros({classes, classes + 1}, at::kDouble);
    w.narrow(1, 0, classes).copy_(at::eye(classes, at::kDouble));
    at::Tensor e = at::zeros({1, classes + 1}, at::kDouble);
    e[0][classes] = 2;
    Classifier head = head_with({"sphereface2", {{"scale", 30}, {"type", type}}}, w);
    const HeadResult r = run_head(head, e, at::zeros({1}, at::kLong));
    EXPECT_NEAR(r.bias.item<double>(), 0, 1e-12) << type;
  }
}

// One step with the whole batch, and one with two halves collected: the same bias, centres and buffers.
TEST(BinaryLoss, TheBiasStepsWithTheCentres) {
  const at::Tensor w = tensor_of(goldens().at("weights")), e = tensor_of(goldens().at("embeddings")),
                   labels = labels_of(goldens().at("labels"));
  for (const RowRuleKind kind : {RowRuleKind::kSgd, RowRuleKind::kAdamW}) {
    const RowRule rule{.kind = kind, .rate = .1, .weight_decay = .01, .correction1 = .1, .correction2 = .001};
    Classifier whole = head_with({"uniface"}, w), halves = head_with({"uniface"}, w), probe = head_with({"uniface"}, w);
    const double first = whole.bias().item<double>(), slope = run_head(probe, e, labels).bias.item<double>();
    whole.step(e, labels, 0, &rule);
    HeadGradient collected = halves.zero_gradient();
    for (int half : {0, 1})
      halves.step(e.narrow(0, 4 * half, 4), labels.narrow(0, 4 * half, 4), 0, nullptr, &collected, .5);
    halves.apply(rule, collected);
    const double moved = whole.bias().item<double>();
    if (kind == RowRuleKind::kSgd) {
      EXPECT_NEAR(moved, first - .1 * (slope + .01 * first), 1e-12);
    } else {
      EXPECT_NEAR(moved, first * (1 - .1 * .01) - .1 * (slope > 0 ? 1 : -1), 1e-6);
    }
    EXPECT_NEAR(halves.bias().item<double>(), moved, 1e-12);
    EXPECT_TRUE(at::allclose(halves.weight(), whole.weight(), 1e-10, 1e-13));
    for (int k = 0; k < rule.buffers(); ++k)
      EXPECT_NEAR(halves.bias_buffers()[static_cast<std::size_t>(k)].item<double>(),
                  whole.bias_buffers()[static_cast<std::size_t>(k)].item<double>(), 1e-12);
  }
  Classifier softmax = head_with({"cosface"}, w);
  EXPECT_FALSE(softmax.bias().defined());
}

}  // namespace
}  // namespace likeness::train
