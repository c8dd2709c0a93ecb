// The head equals arcface_torch's numbers in f64, its gradient is the derivative, and its centres start reproducibly.
#include "train/head/classifier.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/npz.h"
#include "tests/support/paths.h"
#include "train/head/margin_softmax.h"

namespace likeness::train {
namespace {

at::Tensor tensor(const test::Array& a) { return at::tensor(a.as_double(), at::kDouble).reshape(a.shape); }
at::Tensor labels_of(const test::Array& a) { return at::tensor(a.as_int(), at::kLong); }

struct Result {
  at::Tensor loss, grad_embeddings, grad_weights;
};

Result run(const test::Npz& heads, const std::string& set, const Margin& margin) {
  at::Tensor e = tensor(heads.at(set + ".embeddings")).requires_grad_(true),
             w = tensor(heads.at(set + ".weights")).requires_grad_(true);
  at::Tensor loss = margin_loss(e, w, labels_of(heads.at(set + ".labels")), margin);
  loss.backward();
  return {loss.detach(), e.grad(), w.grad()};
}

// Every entry within 1e-12 of the array's largest; entries where the reference is not finite must be finite here.
void expect_equal(const at::Tensor& got, const test::Array& reference, const std::string& what) {
  const auto want = reference.as_double();
  const at::Tensor flat = got.contiguous().flatten();
  double largest = 0;
  for (double v : want)
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const double g = flat[i].item<double>(), r = want[static_cast<std::size_t>(i)];
    if (std::isfinite(r))
      EXPECT_NEAR(g, r, 1e-12 * largest) << what << " " << i;
    else
      EXPECT_TRUE(std::isfinite(g)) << what << " " << i;
  }
}

void expect_case(const std::string& name, const Margin& margin) {
  const test::Npz heads(test::golden("heads.npz"));
  for (const std::string set : {"regular", "extreme"}) {
    const Result r = run(heads, set, margin);
    const std::string prefix = "at." + name + "." + set + ".";
    EXPECT_NEAR(r.loss.item<double>(), heads.at(prefix + "loss_ce").scalar(),
                1e-12 * std::abs(heads.at(prefix + "loss_ce").scalar()))
        << name << set;
    expect_equal(r.grad_embeddings, heads.at(prefix + "grad_embeddings_ce"), name + " " + set + " embeddings");
    expect_equal(r.grad_weights, heads.at(prefix + "grad_weights_ce"), name + " " + set + " weights");
  }
}

TEST(Classifier, EqualsTheReferences) {
  expect_case("cosface", {.scale = 64, .m3 = .4});
  expect_case("arcface",
              {.scale = 64, .m2 = .5, .gradient = MarginGradient::kStraightThrough, .past_pi = PastPi::kContinue});
  expect_case("arcface_2022_exact",
              {.scale = 64, .m2 = .5, .gradient = MarginGradient::kExact, .past_pi = PastPi::kLinear});
}

// Central differences of the loss along random directions against the gradient's projections.
TEST(Classifier, ExactGradientIsTheDerivative) {
  const test::Npz heads(test::golden("heads.npz"));
  const at::Tensor labels = labels_of(heads.at("regular.labels"));
  const at::Tensor e = tensor(heads.at("regular.embeddings")), w = tensor(heads.at("regular.weights"));
  for (const Margin& m : {Margin{.scale = 32, .m3 = .2}, Margin{.scale = 16, .m2 = .5},
                          Margin{.scale = 16, .m1 = 1.2, .m2 = .2, .m3 = .1, .past_pi = PastPi::kMirror}}) {
    const Result r = run(heads, "regular", m);
    for (int k = 0; k < 5; ++k) {
      const at::Tensor de = at::cos(at::arange(e.numel(), at::kDouble) * (k + 1.3)).reshape(e.sizes());
      const at::Tensor dw = at::sin(at::arange(w.numel(), at::kDouble) * (k + .7)).reshape(w.sizes());
      const double h = 1e-6;
      const double up = margin_loss(e + h * de, w + h * dw, labels, m).item<double>(),
                   down = margin_loss(e - h * de, w - h * dw, labels, m).item<double>();
      const double slope = ((r.grad_embeddings * de).sum() + (r.grad_weights * dw).sum()).item<double>();
      EXPECT_NEAR(slope, (up - down) / (2 * h), 1e-7 * std::max(1.0, std::abs(slope)))
          << "m1 " << m.m1 << " m2 " << m.m2 << " direction " << k;
    }
  }
}

TEST(Classifier, FloatAgreesWithDoubleAndDoesNotDependOnThreads) {
  const test::Npz heads(test::golden("heads.npz"));
  const at::Tensor labels = labels_of(heads.at("regular.labels"));
  const at::Tensor cosines = tensor(heads.at("at.cosface.regular.cosines"));
  const Margin m{.scale = 64, .m3 = .4};
  at::Tensor single = cosines.to(at::kFloat), wide = cosines.clone();
  const at::Tensor loss = margin_softmax_(single, labels, m), exact = margin_softmax_(wide, labels, m);
  EXPECT_LT((loss - exact).abs().max().item<double>(), 1e-4);
  EXPECT_LT((single - wide).abs().max().item<double>(), 1e-3);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  at::Tensor again = cosines.to(at::kFloat);
  EXPECT_TRUE(at::equal(margin_softmax_(again, labels, m), loss) && at::equal(again, single));
  at::set_num_threads(threads);
}

TEST(Classifier, TheLossIsNeverCapped) {  // the reference stops at 69.08
  at::Tensor cosines = at::zeros({1, 3}, at::kDouble);
  cosines[0][0] = -1, cosines[0][1] = 1;
  const at::Tensor loss = margin_softmax_(cosines, at::zeros({1}, at::kLong), {.scale = 64, .m3 = .4});
  EXPECT_NEAR(loss.item<double>(), 64 * (1 + 1.4), 1e-9);
}

TEST(Classifier, ALabelOutsideTheClassesIsRefused) {
  for (std::int64_t label : {-1, 3})
    EXPECT_THROW(margin_softmax_(at::zeros({1, 3}, at::kDouble), at::full({1}, label, at::kLong), Margin{}), c10::Error);
}

TEST(Classifier, CentresDependOnSeedAndClassAlone) {
  const Classifier small({.classes = 5, .dimension = 64, .seed = 3}, at::kFloat),
      large({.classes = 200, .dimension = 64, .seed = 3}, at::kFloat),
      other({.classes = 200, .dimension = 64, .seed = 4}, at::kFloat);
  EXPECT_TRUE(at::equal(small.weight(), large.weight().slice(0, 0, 5)));
  EXPECT_FALSE(at::equal(large.weight(), other.weight()));
  EXPECT_NEAR(large.weight().std().item<double>(), .01, 2e-4);
  EXPECT_NEAR(large.weight().mean().item<double>(), 0, 2e-4);
  const Classifier wide({.classes = 5, .dimension = 64, .seed = 3}, at::kDouble);
  EXPECT_TRUE(at::equal(wide.weight(), small.weight().to(at::kDouble)));
}

}  // namespace
}  // namespace likeness::train
