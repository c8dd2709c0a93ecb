// The losses beside the classifier's: values and gradients in f64, over ranks, and through a whole training step.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <functional>
#include <mutex>

#include "tests/train/ranks.h"
#include "tests/train/toy_net.h"
#include "train/terms/compatibility.h"
#include "train/terms/distillation.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

at::Tensor wave(at::IntArrayRef shape, double phase) {
  std::int64_t n = 1;
  for (std::int64_t s : shape) n *= s;
  return at::sin(at::arange(n, at::kDouble) * 1.37 + phase).reshape(shape);
}

double relative(const at::Tensor& got, const at::Tensor& want) {
  return ((got - want).norm() / want.norm().clamp_min(1e-300)).item<double>();
}

// The formula in torch's own words, by autograd.
TEST(LogitDistance, EqualsTorchsKullbackLeibler) {
  const at::Tensor t = wave({6, 5}, 1), tc = wave({7, 5}, 2);
  at::Tensor e = wave({6, 4}, 3).requires_grad_(true), c = wave({7, 4}, 4).requires_grad_(true);
  const LogitOptions o{.scale = 12, .taught_scale = 20, .temperature = 3};
  const auto unit = [](const at::Tensor& x) {
    return torch::nn::functional::normalize(x, torch::nn::functional::NormalizeFuncOptions().dim(1));
  };
  const at::Tensor log_q = at::log_softmax(at::mm(unit(e), unit(c).t()) * (o.scale / o.temperature), 1);
  const at::Tensor log_p = at::log_softmax(at::mm(unit(t), unit(tc).t()) * (o.taught_scale / o.temperature), 1);
  at::Tensor want = at::kl_div(log_q, log_p, at::Reduction::Sum, true) * (o.temperature * o.temperature / 6);
  want.backward();
  const auto alone = solo_group();
  const LogitStep got = logit_distance(e.detach(), c.detach(), t, tc, o, *alone);
  EXPECT_GT(want.item<double>(), .1);
  EXPECT_NEAR(got.loss.item<double>(), want.item<double>(), 1e-12 * want.item<double>());
  EXPECT_LT(relative(got.by_embeddings, e.grad()), 1e-12);
  EXPECT_LT(relative(got.by_centres, c.grad()), 1e-12);
  // A student that says what its teacher says is not moved.
  const LogitStep same = logit_distance(t, tc, t, tc, {.scale = 20, .taught_scale = 20, .temperature = 3}, *alone);
  EXPECT_NEAR(same.loss.item<double>(), 0, 1e-15);
  EXPECT_LT(same.by_embeddings.norm().item<double>(), 1e-14);
}

TEST(LogitDistance, ManyRanksEqualOne) {
  constexpr std::int64_t kEach = 2, kClasses = 11;
  const LogitOptions o{.scale = 12, .taught_scale = 20, .temperature = 2};
  for (const int size : {2, 3}) {
    const std::int64_t batch = kEach * size;
    const at::Tensor e = wave({batch, 4}, 3), c = wave({kClasses, 4}, 4), t = wave({batch, 5}, 1),
                     tc = wave({kClasses, 5}, 2);
    const auto alone = solo_group();
    const LogitStep one = logit_distance(e, c, t, tc, o, *alone);
    std::vector<at::Tensor> by_centres(static_cast<std::size_t>(size));
    test::on_ranks(size, [&](Group& group) {
      const ClassRange r = class_range(kClasses, group.rank(), size);
      const auto own = [&](const at::Tensor& x) { return x.narrow(0, kEach * group.rank(), kEach); };
      const auto rows = [&](const at::Tensor& x) { return x.narrow(0, r.begin, r.count); };
      const LogitStep many = logit_distance(own(e), rows(c), own(t), rows(tc), o, group);
      EXPECT_NEAR(many.loss.item<double>(), one.loss.item<double>(), 1e-12);
      EXPECT_LT(relative(many.by_embeddings / size, own(one.by_embeddings)), 1e-12);
      by_centres[static_cast<std::size_t>(group.rank())] = many.by_centres;
    });
    EXPECT_LT(relative(at::cat(by_centres), one.by_centres), 1e-12);
  }
}

MicroBatch batch_of(int n, std::int64_t count = 6) {
  const at::Tensor pixels = (at::arange(count) + 10 * n).to(at::kByte).view({-1, 1, 1, 1});
  return {.images = wave({count, 3, 16, 16}, .37 * n),
          .labels = (at::arange(count, at::kLong) * 5 + n) % 7,
          .pixels = pixels.expand({-1, 16, 16, 3}).contiguous()};
}

MicroBatch part_of(const MicroBatch& b, std::int64_t first, std::int64_t count) {
  return {b.images.narrow(0, first, count), b.labels.narrow(0, first, count).contiguous(),
          b.pixels.narrow(0, first, count).contiguous()};
}

// Stands for a teacher: a picture's embedding goes by its first pixel.
Teacher fixed_teacher(std::int64_t dimension) {
  return [dimension](const at::Tensor& pixels) {
    const at::Tensor first = pixels.view({pixels.size(0), -1}).narrow(1, 0, 1).to(at::kFloat);
    return at::sin(at::arange(dimension, at::kFloat).unsqueeze(0) * 1.37f + first * .3f);
  };
}

TEST(Distillation, TheEmbeddingLossIsOneMinusTheCosine) {
  const auto alone = solo_group();
  const MicroBatch batch = batch_of(3);
  const at::Tensor taught = fixed_teacher(8)(batch.pixels).to(at::kDouble), none;
  Distillation term({.embedding = 2, .dimension = 8, .taught_dimension = 8, .type = at::kDouble}, fixed_teacher(8),
                    *alone);
  EXPECT_TRUE(term.parameters().empty());
  const at::Tensor e = wave({6, 8}, .2).requires_grad_(true);
  const TermStep s =
      term.step({.embeddings = e, .batch = batch, .share = .5, .centres = none, .centre_gradient = nullptr});
  double sum = 0;
  for (int b = 0; b < 6; ++b) {
    const at::Tensor x = e.detach()[b], y = taught[b];
    sum += 1 - (x.dot(y) / (x.norm() * y.norm())).item<double>();
  }
  EXPECT_NEAR(s.losses.at(0).second.item<double>(), sum / 6, 1e-14);
  EXPECT_NEAR(s.loss.item<double>(), sum / 6, 1e-14);  // 2 * 0.5
  EXPECT_FALSE(s.gradient.defined());
}

// The old centres judge the new embeddings as a classifier would, and stay where they are.
TEST(Compatibility, IsAClassifierThatDoesNotMove) {
  const auto alone = solo_group();
  const ClassifierOptions options{.classes = 7, .dimension = 8, .loss = {"arcface", {}}, .sub_centers = 2, .seed = 3};
  const at::Tensor centres = wave({7, 8}, 5), e = wave({6, 8}, .2), none;
  Compatibility term(options, centres, 3, *alone);
  Classifier same({.classes = 7, .dimension = 8, .loss = options.loss}, at::kDouble);
  same.weight().copy_(centres);
  const MicroBatch batch = batch_of(1);
  for (std::int64_t step = 0; step < 2; ++step) {
    const HeadStep want = same.step(e, batch.labels, step, nullptr, nullptr, .5);
    const TermStep got = term.step(
        {.embeddings = e, .batch = batch, .step = step, .share = .5, .centres = none, .centre_gradient = nullptr});
    EXPECT_TRUE(at::equal(got.losses.at(0).second, want.loss));
    EXPECT_TRUE(at::equal(got.gradient, want.embeddings * 3));
    EXPECT_FALSE(got.loss.defined());
  }
  EXPECT_FALSE(term.wants_centre_gradient());
}

// A trainer with every term there is: distillation by embedding (through a projection) and logits, and compatibility.
struct Everything {
  Everything(Group& group, std::int64_t accumulate)
      : network(test::small_graph(), model::initial_weights(test::small_graph(), 1), at::kDouble),
        head({.classes = 7, .dimension = 8, .loss = {"cosface", {{"scale", 8}}}, .init_std = 1, .seed = 2}, at::kDouble,
             &group) {
    const ClassRange r = head.range();
    DistillationOptions d{.embedding = 3,
                          .logits = .7,
                          .softmax = {.scale = 8, .taught_scale = 10, .temperature = 2},
                          .taught_centres = wave({7, 5}, 2).narrow(0, r.begin, r.count),
                          .dimension = 8,
                          .taught_dimension = 5,
                          .type = at::kDouble,
                          .seed = 4};
    std::vector<std::unique_ptr<Term>> terms;
    terms.push_back(std::make_unique<Distillation>(d, fixed_teacher(5), group));
    projection = terms[0]->parameters().at(0).second;
    terms.push_back(
        std::make_unique<Compatibility>(head.options(), wave({7, 8}, 5).narrow(0, r.begin, r.count), .9, group));
    Recipe recipe;
    recipe.rate = 1, recipe.weight_decay = 0, recipe.clip = 0;
    recipe.accumulate = accumulate;
    recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 3};
    trainer = std::make_unique<Trainer>(network, head, recipe, at::kCPU, std::move(terms));
  }
  // The whole loss, with the weights from above.
  static double total(const StepMeters& m) {
    double sum = m.loss.item<double>();
    const std::map<std::string, double> weights = {
        {"distill/embedding", 3}, {"distill/logits", .7}, {"compatible", .9}};
    EXPECT_EQ(m.terms.size(), weights.size());
    for (const auto& [name, value] : m.terms) sum += weights.at(name) * value.item<double>();
    return sum;
  }
  std::vector<at::Tensor> trained() const {
    std::vector<at::Tensor> all;
    for (const auto& [name, tensor] : network.parameters()) all.push_back(tensor.detach());
    all.push_back(projection.detach()), all.push_back(head.weight());
    return all;
  }

  model::TorchModel network;
  Classifier head;
  at::Tensor projection;
  std::unique_ptr<Trainer> trainer;
};

// The first step of SGD at rate 1 moves every number by its derivative, which a central difference of the whole loss knows too.
TEST(Terms, AStepFollowsTheGradientOfTheWholeLoss) {
  const auto alone = solo_group();
  Everything moved(*alone, 1);
  std::vector<at::Tensor> before, after;
  for (const at::Tensor& t : moved.trained()) before.push_back(t.clone());
  moved.trainer->step(batch_of(2));
  after = moved.trained();
  int checked = 0;
  for (std::size_t k = 0; k < before.size(); ++k)
    for (const std::int64_t i : {std::int64_t{0}, before[k].numel() / 2, before[k].numel() - 1}) {
      double loss[2];
      for (int side : {0, 1}) {
        Everything shifted(*alone, 1);
        const at::NoGradGuard no_grad;
        shifted.trained()[k].view({-1})[i].add_(side == 0 ? -1e-6 : 1e-6);
        const at::AutoGradMode grad(true);
        loss[side] = Everything::total(shifted.trainer->step(batch_of(2)));
      }
      const double want = (loss[1] - loss[0]) / 2e-6;
      const double got = (before[k].view({-1})[i] - after[k].view({-1})[i]).item<double>();
      EXPECT_NEAR(got, want, 1e-7 * std::max(1.0, std::abs(want))) << k << " " << i;
      checked += std::abs(want) > 1e-6;
    }
  EXPECT_GT(checked, 12);
}

// Two micro-batches are one batch, and two ranks are one: all terms in f64.
TEST(Terms, MicroBatchesAndRanksEqualTheLargeBatch) {
  const auto alone = solo_group();
  std::vector<at::Tensor> ends[2];
  std::mutex mutex;
  for (const std::int64_t count : {1, 2}) {
    Everything e(*alone, count);
    const MicroBatch whole = batch_of(2, 8);
    std::int64_t i = 0;
    const StepMeters m = e.trainer->step(count, [&] { return part_of(whole, 8 / count * i++, 8 / count); });
    ends[count - 1] = e.trained();
    ends[count - 1].push_back(at::full({1}, Everything::total(m), at::kDouble));
  }
  for (std::size_t k = 0; k < ends[0].size(); ++k) EXPECT_LT(relative(ends[1][k], ends[0][k]), 1e-12) << k;
  test::on_ranks(2, [&](Group& group) {
    const MicroBatch mine = part_of(batch_of(2, 8), 4 * group.rank(), 4);
    Everything e(group, 1);
    e.trainer->step(mine);
    const std::vector<at::Tensor> end = e.trained();
    const ClassRange r = e.head.range();
    const std::lock_guard lock(mutex);
    for (std::size_t k = 0; k + 1 < end.size(); ++k) EXPECT_LT(relative(end[k], ends[0][k]), 1e-12) << k;
    EXPECT_LT(relative(end.back(), ends[0][end.size() - 1].narrow(0, r.begin, r.count)), 1e-12);
  });
}

}  // namespace
}  // namespace likeness::train
