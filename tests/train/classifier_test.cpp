// The head equals the references' numbers in f64 for every loss, its gradient is the derivative, f32 follows f64, and
// its centres start reproducibly.
#include "train/head/classifier.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/train/head_case.h"
#include "train/head/losses/elasticface.h"

namespace likeness::train {
namespace {

using test::expect_equal;
using test::head_with;
using test::HeadResult;
using test::labels_of;
using test::run_head;
using test::tensor_of;

const test::Npz& heads() {
  static const test::Npz npz(test::golden("heads.npz"));
  return npz;
}

struct ReferenceCase {
  std::string name;
  LossOptions loss;
  std::string suffix = {};  // of the arrays' names
  std::int64_t sub_centers = 1;
};

void PrintTo(const ReferenceCase& c, std::ostream* out) { *out << c.name; }

class References : public testing::TestWithParam<ReferenceCase> {};

TEST_P(References, LossAndGradientsAreEqual) {
  const ReferenceCase& c = GetParam();
  for (const std::string set : {"regular", "extreme"}) {
    const std::string prefix = c.name + "." + set + ".";
    const at::Tensor weight = tensor_of(heads().at(c.sub_centers > 1 ? prefix + "weights_k" : set + ".weights"));
    Classifier head = head_with(c.loss, weight, {.sub_centers = c.sub_centers});
    const HeadResult r =
        run_head(head, tensor_of(heads().at(set + ".embeddings")), labels_of(heads().at(set + ".labels")));
    const double want = heads().at(prefix + "loss" + c.suffix).scalar();
    EXPECT_NEAR(r.loss.item<double>(), want, 1e-12 * std::abs(want)) << prefix;
    expect_equal(r.embeddings, heads().at(prefix + "grad_embeddings" + c.suffix), prefix + " embeddings");
    expect_equal(r.weight, heads().at(prefix + "grad_weights" + c.suffix), prefix + " weights");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Head, References,
    testing::Values(
        ReferenceCase{"at.cosface", {"cosface"}, "_ce"},
        ReferenceCase{"at.cosface_filter04", {"cosface", {{"filter", .4}}}, "_ce"},
        ReferenceCase{"at.arcface", {"arcface", {{"gradient", 1}, {"past_pi", 2}}}, "_ce"},
        ReferenceCase{"at.arcface_filter04", {"arcface", {{"gradient", 1}, {"past_pi", 2}, {"filter", .4}}}, "_ce"},
        ReferenceCase{"at.arcface_2022_exact", {"arcface"}, "_ce"},
        ReferenceCase{"at.arcface_2022_exact_easy", {"arcface", {{"past_pi", 3}}}, "_ce"},
        ReferenceCase{"magface", {"magface"}}, ReferenceCase{"magface_easy", {"magface", {{"easy_margin", 1}}}},
        ReferenceCase{"subcenter_arcface_exact", {"arcface", {{"past_pi", 2}}}, "", 3},
        ReferenceCase{"subcenter_arcface_straight_through", {"arcface", {{"gradient", 1}, {"past_pi", 2}}}, "", 3}));

at::Tensor& state_of(Classifier& head, const std::string& name) {
  static thread_local at::Tensor found;
  for (auto& [key, value] : head.loss().state())
    if (key == name) found = value;
  return found;
}

// Losses with a memory: three steps one after the other, then a fresh start at the ends of the range.
void expect_steps(const std::string& name, const LossOptions& loss,
                  const std::vector<std::pair<std::string, std::string>>& states) {
  const auto step = [&](Classifier& head, const std::string& prefix, const at::Tensor& e, const at::Tensor& y, int n) {
    const HeadResult r = run_head(head, e, y, n);
    EXPECT_NEAR(r.loss.item<double>(), heads().at(prefix + "loss").scalar(), 1e-11) << prefix;
    expect_equal(r.embeddings, heads().at(prefix + "grad_embeddings"), prefix + " embeddings");
    expect_equal(r.weight, heads().at(prefix + "grad_weights"), prefix + " weights");
    for (const auto& [ours, theirs] : states)
      EXPECT_NEAR(state_of(head, ours).item<double>(), heads().at(prefix + theirs + ".after").as_double().at(0), 1e-13)
          << prefix << ours;
  };
  Classifier head = head_with(loss, tensor_of(heads().at("regular.weights")));
  for (int n = 0; n < 3; ++n) {
    const std::string prefix = name + ".regular.step" + std::to_string(n) + ".";
    step(head, prefix, tensor_of(heads().at(prefix + "embeddings")), labels_of(heads().at(prefix + "labels")), n);
  }
  Classifier fresh = head_with(loss, tensor_of(heads().at("extreme.weights")));
  for (const auto& [ours, theirs] : states)
    state_of(fresh, ours).fill_(heads().at(name + ".extreme." + theirs + ".before").as_double().at(0));
  step(fresh, name + ".extreme.", tensor_of(heads().at("extreme.embeddings")), labels_of(heads().at("extreme.labels")),
       0);
}

TEST(Head, CurricularFaceRemembersAsTheReference) { expect_steps("curricularface", {"curricularface"}, {{"t", "t"}}); }

TEST(Head, AdaFaceRemembersAsTheReference) {
  expect_steps("adaface", {"adaface"}, {{"norm_mean", "batch_mean"}, {"norm_deviation", "batch_std"}});
}

// The references' own draws, through the part of ElasticFace that does not draw.
TEST(Head, ElasticFaceOnTheReferencesDraws) {
  for (const std::string set : {"regular", "extreme"})
    for (const bool angular : {true, false})
      for (const bool plus : {false, true}) {
        const std::string prefix =
            std::string(angular ? "elasticarcface" : "elasticcosface") + (plus ? "_plus" : "") + "." + set + ".";
        const at::Tensor e = tensor_of(heads().at(set + ".embeddings")), w = tensor_of(heads().at(set + ".weights"));
        const at::Tensor labels = labels_of(heads().at(set + ".labels")), rows = at::arange(8, at::kLong);
        const at::Tensor cosines = at::mm(e / e.norm(2, {1}, true), (w / w.norm(2, {1}, true)).t()).clamp(-1, 1);
        const Margined m = elastic(
            {.cosine = cosines.index({rows, labels}), .norm = e.norm(2, {1}), .known = at::ones({8}, at::kBool)},
            tensor_of(heads().at(prefix + "margins")).flatten(), plus, angular);
        at::Tensor logits = cosines * 64;
        logits.index_put_({rows, labels}, m.value * 64);
        const double loss = (at::logsumexp(logits, 1) - m.value * 64).mean().item<double>();
        EXPECT_NEAR(loss, heads().at(prefix + "loss").scalar(), 1e-11) << prefix;
      }
}

// OpenSphere cuts cosines off at 1 - 1e-5, so the ends of the range are its own.
TEST(Head, SphereFaceEqualsOpenSphere) {
  for (const std::string set : {"regular"}) {
    const std::string prefix = "opensphere_sphereface." + set + ".";
    Classifier head = head_with({"sphereface", {{"margin", 1.7}, {"scale", 30}, {"gradient", 1}}},
                                tensor_of(heads().at(set + ".weights")));
    const HeadResult r =
        run_head(head, tensor_of(heads().at(set + ".embeddings")), labels_of(heads().at(set + ".labels")));
    EXPECT_NEAR(r.loss.item<double>(), heads().at(prefix + "loss").scalar(), 1e-11);
    expect_equal(r.embeddings, heads().at(prefix + "grad_embeddings"), prefix);
  }
}

// ---- for every entry of the table ---------------------------------------------------------------------------------

class EveryLoss : public testing::TestWithParam<std::string> {};

// Inputs away from the places where a formula has a corner.
at::Tensor smooth_embeddings() { return tensor_of(heads().at("regular.embeddings")); }
at::Tensor smooth_weights() { return tensor_of(heads().at("regular.weights")); }

// Central differences of the loss along random directions against the gradients' projections.
TEST_P(EveryLoss, GradientIsTheDerivative) {
  const at::Tensor labels = labels_of(heads().at("regular.labels")), e = smooth_embeddings(), w = smooth_weights();
  const LossOptions loss{GetParam(), {{"scale", 16}}};
  const auto at_point = [&](const at::Tensor& embeddings, const at::Tensor& weight) {
    Classifier head = head_with(loss, weight, {.seed = 5});
    return run_head(head, embeddings, labels, 3);
  };
  const HeadResult r = at_point(e, w);
  // AdaFace and CurricularFace hold their running numbers constant on the way back, so moving a norm or an own cosine
  // shows in the loss but not in the gradient: move the other classes' centres alone there.
  Classifier probe = head_with(loss, w);
  const bool remembers = !probe.loss().state().empty();
  at::Tensor others = at::ones({w.size(0), 1}, at::kDouble);
  if (remembers) others.index_fill_(0, labels, 0);
  for (int k = 0; k < 5; ++k) {
    const at::Tensor de =
        at::cos(at::arange(e.numel(), at::kDouble) * (k + 1.3)).reshape(e.sizes()) * (remembers ? 0 : 1);
    const at::Tensor dw = at::sin(at::arange(w.numel(), at::kDouble) * (k + .7)).reshape(w.sizes()) * others;
    const double h = 1e-6, up = at_point(e + h * de, w + h * dw).loss.item<double>(),
                 down = at_point(e - h * de, w - h * dw).loss.item<double>();
    const double slope = ((r.embeddings * de).sum() + (r.weight * dw).sum()).item<double>();
    EXPECT_NEAR(slope, (up - down) / (2 * h), 2e-7 * std::max(1.0, std::abs(slope))) << "direction " << k;
  }
}

TEST_P(EveryLoss, IsFiniteAtTheEndsOfTheRange) {
  for (auto type : {at::kFloat, at::kDouble}) {
    Classifier head = head_with({GetParam()}, tensor_of(heads().at("extreme.weights")).to(type));
    const HeadResult r =
        run_head(head, tensor_of(heads().at("extreme.embeddings")).to(type), labels_of(heads().at("extreme.labels")));
    EXPECT_TRUE(at::isfinite(r.loss).item<bool>() && at::isfinite(r.embeddings).all().item<bool>() &&
                at::isfinite(r.weight).all().item<bool>());
  }
}

TEST_P(EveryLoss, FloatFollowsDouble) {
  Classifier wide = head_with({GetParam()}, smooth_weights(), {.sub_centers = 2}),
             single = head_with({GetParam()}, smooth_weights().to(at::kFloat), {.sub_centers = 2});
  const at::Tensor labels = labels_of(heads().at("regular.labels")) % 12;
  const HeadResult a = run_head(wide, smooth_embeddings(), labels),
                   b = run_head(single, smooth_embeddings().to(at::kFloat), labels);
  EXPECT_NEAR(b.loss.item<double>(), a.loss.item<double>(), 1e-5 * a.loss.item<double>());
  EXPECT_LT(((b.embeddings - a.embeddings).norm() / a.embeddings.norm()).item<double>(), 1e-4);
  EXPECT_LT(((b.weight - a.weight).norm() / a.weight.norm()).item<double>(), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Head, EveryLoss, testing::ValuesIn(test::loss_names()),
                         [](const auto& info) { return info.param; });

// ---- the machine behind them --------------------------------------------------------------------------------------

// Sizes that leave rests everywhere, cosines computed twice or kept, any number of threads.
TEST(Head, TilesDoNotShow) {
  const std::int64_t classes = 1237, dimension = 40, batch = 19;
  const at::Tensor weight = at::sin(at::arange(classes * dimension, at::kDouble) * 1.7).reshape({classes, dimension});
  const at::Tensor e = at::cos(at::arange(batch * dimension, at::kDouble) * .9).reshape({batch, dimension});
  const at::Tensor labels = (at::arange(batch, at::kLong) * 331) % classes;
  // The whole matrix at once, by autograd.
  at::Tensor we = weight.clone().requires_grad_(true), ee = e.clone().requires_grad_(true);
  at::Tensor cosines = at::mm(at::div(ee, ee.norm(2, {1}, true)), at::div(we, we.norm(2, {1}, true)).t());
  at::Tensor logits = 64 * (cosines - .4 * at::one_hot(labels, classes).to(at::kDouble));
  at::Tensor loss = at::cross_entropy_loss(logits, labels);
  loss.backward();
  const int threads = at::get_num_threads();
  for (int t : {1, 2, 3})
    for (std::int64_t keep : {std::int64_t{0}, std::int64_t{1} << 30}) {
      at::set_num_threads(t);
      Classifier head = head_with({"cosface"}, weight, {.keep_bytes = keep});
      const HeadResult r = run_head(head, e, labels);
      EXPECT_NEAR(r.loss.item<double>(), loss.item<double>(), 1e-12);
      EXPECT_LT(((r.embeddings - ee.grad()).norm() / ee.grad().norm()).item<double>(), 1e-12) << t << " " << keep;
      EXPECT_LT(((r.weight - we.grad()).norm() / we.grad().norm()).item<double>(), 1e-12) << t << " " << keep;
    }
  at::set_num_threads(threads);
}

// The passes that a GPU runs, here on the CPU, against the vectorised ones: whole and sampled, both rules, K = 1 and 2.
TEST(Head, TheDevicesPassesEqualTheVectorisedOnes) {
  const std::int64_t classes = 211, dimension = 24, batch = 13;
  const at::Tensor e = at::cos(at::arange(batch * dimension, at::kDouble) * .9).reshape({batch, dimension});
  const at::Tensor unit = e / e.norm(2, {1}, true);
  std::vector<std::int64_t> some;
  for (std::int64_t c = 0; c < classes; c += 3) some.push_back(c);
  struct Rule {
    OthersKind kind;
    Reduction reduction = Reduction::kSoftmax;
    bool detached = false;
  };
  for (const auto [kind, reduction, detached] :
       {Rule{OthersKind::kPlain}, Rule{OthersKind::kFilter}, Rule{OthersKind::kCurriculum}, Rule{OthersKind::kPower},
        Rule{OthersKind::kPlain, Reduction::kBinary}, Rule{OthersKind::kPower, Reduction::kBinary},
        Rule{OthersKind::kPower, Reduction::kBinary, true}})
    for (std::int64_t centres : {1, 2})
      for (bool sampled : {false, true})
        for (RowRuleKind rule_kind : {RowRuleKind::kSgd, RowRuleKind::kAdamW}) {
          TileBatch b{.unit = unit, .classes = sampled ? &some : nullptr};
          b.others = {.kind = kind,
                      .scale = 16,
                      .limit = .95,
                      .threshold = .2,
                      .power = 3,
                      .detached = detached,
                      .reduction = reduction,
                      .bias = reduction == Reduction::kBinary ? -3. : 0.};
          b.bar = at::sin(at::arange(batch, at::kDouble)) * .3;
          b.own = {{.place = 2, .sample = 4}, {.place = 2, .sample = 7}, {.place = 60, .sample = 0}};
          b.centre = at::tensor({centres - 1, std::int64_t{0}, centres - 1}, at::kLong);
          const RowRule rule{.kind = rule_kind,
                             .rate = .1,
                             .weight_decay = .01,
                             .nesterov = true,
                             .correction1 = .1,
                             .correction2 = .2};
          std::vector<at::Tensor> ends[2];
          for (int which : {0, 1}) {
            const TileOptions o{.sub_centers = centres, .keep_bytes = which == 0 ? 0 : 1 << 20};
            const auto tiles = which == 0 ? cpu_tiles(at::kDouble, o) : torch_tiles(o, 50);
            at::Tensor w =
                at::sin(at::arange(classes * centres * dimension, at::kDouble) * 1.7).reshape({-1, dimension});
            RowSink sink{.rule = &rule, .untouched_rows_too = true};
            for (int i = 0; i < 2; ++i) sink.state.push_back(at::full_like(w, .01));
            sink.gradient = at::zeros_like(w);
            const auto [top, sum, slope] = tiles->forward(w, b);
            const at::Tensor factor = 1 / sum, own = at::sin(at::arange(batch, at::kDouble));
            const at::Tensor g = tiles->backward(w, b, top, factor, own, sink);
            ends[which] = {sum, g, w, sink.gradient, sink.state[0], sink.state[1]};
            ends[which].push_back(reduction == Reduction::kBinary ? slope : top);
          }
          for (std::size_t i = 0; i < ends[0].size(); ++i)
            EXPECT_TRUE(at::allclose(ends[0][i], ends[1][i], 1e-11, 1e-13))
                << i << " " << static_cast<int>(kind) << centres << sampled;
        }
}

// bf16 tiles against torch's products of operands rounded by torch: as near as f32 sums in another order allow, where a
// gradient that falls on the other side of a rounding step is rare; both clearly off the f32 pass.
TEST(Head, TilesOfBf16AreProductsOfRoundedOperands) {
  const std::int64_t classes = 2003, dimension = 72, batch = 37;
  const at::Tensor e = at::cos(at::arange(batch * dimension, at::kFloat) * .9).reshape({batch, dimension});
  const at::Tensor unit = e / e.norm(2, {1}, true), own = at::sin(at::arange(batch, at::kDouble)) * .1;
  const RowRule rule{.rate = .1};
  for (std::int64_t centres : {1, 3})
    for (std::int64_t keep : {0, 1 << 30}) {
      TileBatch b{.unit = unit};
      b.others.scale = 16;
      b.own = {{.place = 2, .sample = 4}, {.place = 2, .sample = 7}, {.place = 1999, .sample = 0}};
      b.centre = at::tensor({centres - 1, std::int64_t{0}, centres - 1}, at::kLong);
      std::vector<at::Tensor> ends[3];
      for (int which : {0, 1, 2}) {
        const TileOptions o{.sub_centers = centres, .keep_bytes = keep, .bf16 = which != 2};
        const auto tiles = which == 1 ? torch_tiles(o, 50) : cpu_tiles(at::kFloat, o);
        at::Tensor w = at::sin(at::arange(classes * centres * dimension, at::kFloat) * 1.7).reshape({-1, dimension});
        const at::Tensor start = w.clone();
        RowSink sink{.rule = &rule};
        sink.state = {at::zeros_like(w)};
        const OtherSums sums = tiles->forward(w, b);
        const at::Tensor g = tiles->backward(w, b, sums.top, 1 / sums.sum, own, sink);
        ends[which] = {sums.top.to(at::kDouble) + sums.sum.log(), g, w - start};
      }
      const auto distance = [&](int a, int z, std::size_t i) {
        return ((ends[a][i] - ends[z][i]).norm() / ends[z][i].norm()).item<double>();
      };
      for (std::size_t i : {0, 1, 2}) EXPECT_LT(distance(0, 1, i), 3e-4) << i << " " << centres;
      for (std::size_t i : {1, 2}) EXPECT_GT(distance(0, 2, i), 1e-3) << i << " " << centres;
    }
}

TEST(Head, RowsStepAsTorchsOptimizersDo) {
  const at::Tensor labels = labels_of(heads().at("regular.labels")), e = smooth_embeddings();
  for (const bool nesterov : {false, true}) {
    Classifier head = head_with({"arcface"}, smooth_weights());
    at::Tensor w = smooth_weights(), buffer = at::zeros_like(w);
    for (int n = 0; n < 3; ++n) {
      Classifier same = head_with({"arcface"}, w);
      const at::Tensor g = run_head(same, e, labels).weight + 5e-4 * w;
      buffer = .9 * buffer + g;
      w = w - .1 * (nesterov ? g + .9 * buffer : buffer);
      const RowRule rule{.rate = .1, .weight_decay = 5e-4, .momentum = .9, .nesterov = nesterov};
      head.step(e, labels, n, &rule);
      EXPECT_LT((head.weight() - w).abs().max().item<double>(), 1e-13) << n;
    }
  }
  Classifier head = head_with({"arcface"}, smooth_weights());
  at::Tensor w = smooth_weights().requires_grad_(true);
  torch::optim::AdamW adam({w}, torch::optim::AdamWOptions(1e-2).weight_decay(.1));
  for (int n = 1; n <= 3; ++n) {
    Classifier same = head_with({"arcface"}, w.detach());
    w.mutable_grad() = run_head(same, e, labels).weight;
    adam.step();
    const RowRule rule{.kind = RowRuleKind::kAdamW,
                       .rate = 1e-2,
                       .weight_decay = .1,
                       .correction1 = 1 - std::pow(.9, n),
                       .correction2 = 1 - std::pow(.999, n)};
    head.step(e, labels, n, &rule);
    EXPECT_LT((head.weight() - w.detach()).abs().max().item<double>(), 1e-13) << n;
  }
}

TEST(Head, TheLossIsNeverCappedUnlessAsked) {  // the reference stops at 69.08
  const at::Tensor weight = at::tensor({-1., 0., 1., 0.}, at::kDouble).reshape({2, 2});
  const at::Tensor e = at::tensor({1., 0.}, at::kDouble).reshape({1, 2}), label = at::zeros({1}, at::kLong);
  Classifier exact = head_with({"cosface"}, weight),
             capped = head_with({"cosface"}, weight, {.cap_reported_loss = true});
  EXPECT_NEAR(run_head(exact, e, label).loss.item<double>(), 64 * (1 + 1.4), 1e-9);
  EXPECT_NEAR(run_head(capped, e, label).loss.item<double>(), 69.07755278982137, 1e-9);
}

TEST(Head, SamplesOfNoClassHaveNoPart) {
  const at::Tensor e = smooth_embeddings();
  at::Tensor labels = labels_of(heads().at("regular.labels"));
  labels[2] = -1, labels[6] = -1;
  const at::Tensor rest = at::tensor({0, 1, 3, 4, 5, 7}, at::kLong);
  Classifier all = head_with({"arcface"}, smooth_weights()), some = head_with({"arcface"}, smooth_weights());
  const HeadResult a = run_head(all, e, labels),
                   b = run_head(some, e.index_select(0, rest), labels.index_select(0, rest));
  EXPECT_NEAR(a.loss.item<double>(), b.loss.item<double>(), 1e-12);
  EXPECT_TRUE(at::allclose(a.weight, b.weight, 1e-12, 1e-14));
  EXPECT_TRUE(at::allclose(a.embeddings.index_select(0, rest), b.embeddings, 1e-12, 1e-14));
  EXPECT_EQ(a.embeddings[2].abs().sum().item<double>(), 0);
}

TEST(Head, ALossThatIsNotFiniteChangesNothing) {
  at::Tensor e = smooth_embeddings();
  e[3][1] = NAN;
  Classifier head = head_with({"cosface"}, smooth_weights());
  const RowRule rule{.rate = .1};
  EXPECT_FALSE(head.step(e, labels_of(heads().at("regular.labels")), 0, &rule).finite);
  EXPECT_TRUE(at::equal(head.weight(), smooth_weights()));
}

TEST(Head, ALabelOutsideTheClassesIsRefused) {
  Classifier head({.classes = 3, .dimension = 4}, at::kDouble);
  for (std::int64_t label : {-2, 3})
    EXPECT_THROW(head.step(at::ones({1, 4}, at::kDouble), at::full({1}, label, at::kLong), 0, nullptr), c10::Error);
}

TEST(Head, FilterAndCurriculumExcludeEachOther) {
  const Error e = test::error_of([] {
    Classifier({.classes = 3, .dimension = 4, .loss = {"curricularface", {{"filter", .4}}}}, at::kDouble);
  });
  EXPECT_NE(std::string(e.what()).find("head.filter"), std::string::npos);
}

TEST(Head, CentresDependOnSeedAndClassAlone) {
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

// Positives alone, then a half, then all: each step is what a head of that rate alone does.
TEST(Classifier, SamplesInStages) {
  const at::Tensor e = at::sin(at::arange(4 * 8, at::kDouble) * 1.3).reshape({4, 8});
  const at::Tensor labels = at::tensor({1, 7, 7, 30}, at::kLong);
  ClassifierOptions o{.classes = 40, .dimension = 8, .sample_rate = 1, .seed = 5};
  ClassifierOptions staged = o;
  staged.sample_stages = {{.25, 0}, {.5, .5}}, staged.steps = 8;
  Classifier head(staged, at::kDouble);
  for (const auto& [step, rate] : {std::pair{1, 0.0}, {2, .5}, {3, .5}, {4, 1.0}}) {
    o.sample_rate = rate;
    Classifier plain(o, at::kDouble);
    EXPECT_TRUE(
        at::equal(head.step(e, labels, step, nullptr).embeddings, plain.step(e, labels, step, nullptr).embeddings))
        << step;
  }
}

}  // namespace
}  // namespace likeness::train
