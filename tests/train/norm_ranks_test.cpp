// Batch norm over ranks: W ranks, each with its part of a batch, compute what one rank computes with all of it.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "model/torch/norm.h"
#include "tests/model/torch_support.h"
#include "tests/train/ranks.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

using test::channels_last;
using test::drawn;
using test::leaf;
using test::relative_error;

constexpr std::int64_t kBatch = 12;

model::SumOverRanks sum_over(Group& group) {
  return [&group](at::Tensor& sums) { group.all_reduce_sum(sums); };
}

// Output, and the gradients of sum(output * r): by the pictures, and by gamma, beta and slope; running statistics.
struct Outcome {
  at::Tensor z, dx, dresidual;
  std::vector<at::Tensor> summed, running;
};

Outcome normalise(std::int64_t first, std::int64_t count, std::int64_t side, const model::SumOverRanks& over_ranks) {
  const std::int64_t channels = 13;
  std::vector<std::int64_t> shape{kBatch, channels};
  if (side > 0) shape.insert(shape.end(), {side, side});
  // Pictures differ in mean and spread, so that a rank's own statistics are far from those of all.
  std::vector<std::int64_t> ones(shape.size(), 1);
  ones[0] = kBatch;
  const at::Tensor own = drawn("own", ones, -2, 2);
  const auto part = [&](const at::Tensor& t) {
    const at::Tensor slice = t.narrow(0, first, count);
    return leaf(side > 0 ? channels_last(slice) : slice.contiguous());
  };
  const at::Tensor x = part(drawn("x", shape) * (1 + own * own) + own + 3), residual = part(drawn("residual", shape)),
                   gamma = leaf(drawn("gamma", {channels}, .5, 1.5)), beta = leaf(drawn("beta", {channels})),
                   slope = leaf(drawn("slope", {channels}, .1, .4));
  const at::Tensor mean = at::full({channels}, .2, at::kDouble), var = at::full({channels}, .7, at::kDouble);
  model::NormParameters p{
      .gamma = gamma, .beta = beta, .running_mean = mean, .running_var = var, .slope = slope, .training = true};
  if (over_ranks) p.ranks = std::make_shared<const model::SumOverRanks>(over_ranks);
  const at::Tensor z = model::norm(x, residual, p);
  (z * drawn("r", shape).narrow(0, first, count)).sum().backward();
  return {z.detach(), x.grad(), residual.grad(), {gamma.grad(), beta.grad(), slope.grad()}, {mean, var}};
}

TEST(NormOverRanks, EqualsOneRankWithTheWholeBatch) {
  for (const std::int64_t side : {5, 0}) {
    const Outcome whole = normalise(0, kBatch, side, {});
    for (const int ranks : {2, 3, 4})
      test::on_ranks(ranks, [&](Group& group) {
        const std::int64_t count = kBatch / ranks, first = count * group.rank();
        const Outcome own = normalise(first, count, side, sum_over(group));
        EXPECT_LT(relative_error(own.z, whole.z.narrow(0, first, count)), 1e-12);
        EXPECT_LT(relative_error(own.dx, whole.dx.narrow(0, first, count)), 1e-12);
        EXPECT_LT(relative_error(own.dresidual, whole.dresidual.narrow(0, first, count)), 1e-12);
        for (std::size_t i = 0; i < own.summed.size(); ++i) {
          at::Tensor sum = own.summed[i].clone();
          group.all_reduce_sum(sum);
          EXPECT_LT(relative_error(sum, whole.summed[i]), 1e-12) << i;
        }
        for (std::size_t i = 0; i < own.running.size(); ++i)
          EXPECT_LT(relative_error(own.running[i], whole.running[i]), 1e-12) << i;
        // The rank's own statistics would not do.
        const Outcome alone = normalise(first, count, side, {});
        EXPECT_GT(relative_error(alone.z, whole.z.narrow(0, first, count)), 1e-2);
      });
  }
}

// Everything that two steps of training change, in f64.
std::vector<at::Tensor> trained(Group& group, bool synchronised) {
  const model::Graph graph = model::build_backbone({.name = "mbf", .input = 16, .embedding = 8});
  model::TorchModel network(graph, model::initial_weights(graph, 3), at::kDouble);
  if (synchronised) network.share_statistics(sum_over(group));
  Classifier head({.classes = 7, .dimension = 8, .seed = 2}, at::kDouble, &group);
  Recipe recipe;
  recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 2};
  Trainer trainer(network, head, recipe, at::kCPU);
  std::vector<at::Tensor> end;
  const std::int64_t count = kBatch / group.size(), first = count * group.rank();
  for (int n = 0; n < 2; ++n) {
    const at::Tensor images = drawn("images" + std::to_string(n), {kBatch, 3, 16, 16});
    const at::Tensor labels = (at::arange(kBatch, at::kLong) * 5 + n) % 7;
    const StepMeters m = trainer.step(
        {.images = channels_last(images.narrow(0, first, count)), .labels = labels.narrow(0, first, count).clone()});
    end.push_back(m.loss), end.push_back(m.gradient_norm);
  }
  const model::Weights state = network.state();
  for (const auto& [name, tensor] : state.tensors) end.push_back(at::tensor(tensor.as_double(), at::kDouble));
  // Equal shards are not needed: rows are put at their place and added up.
  at::Tensor centres = at::zeros({7, 8}, at::kDouble);
  centres.narrow(0, head.range().begin, head.weight().size(0)).copy_(head.weight());
  group.all_reduce_sum(centres);
  end.push_back(centres);
  return end;
}

// |a - b| over |b|, but over no less than numbers of 0.01 each: some tensors are zero but for rounding, such as the
// shift of a batch norm whose output goes through a convolution into the next batch norm, which takes every shift away.
double error(const at::Tensor& a, const at::Tensor& b) {
  const double least = .01 * std::sqrt(static_cast<double>(b.numel()));
  return (a - b).norm().item<double>() / std::max(b.norm().item<double>(), least);
}

TEST(NormOverRanks, TrainingIsThatOfOneRankWithTheWholeBatch) {
  const auto alone = solo_group();
  const std::vector<at::Tensor> one = trained(*alone, false);
  for (const int ranks : {2, 3, 4}) {
    std::vector<at::Tensor> many, apart;
    test::on_ranks(ranks, [&](Group& group) {
      const auto own = trained(group, true);
      const auto own_apart = trained(group, false);
      if (group.rank() == 0) many = own, apart = own_apart;
    });
    ASSERT_EQ(many.size(), one.size());
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_LT(error(many[i], one[i]), 1e-12) << ranks << " " << i;
    EXPECT_GT(relative_error(apart[0], one[0]), 1e-3);  // the first loss, with each rank's own statistics
  }
}

TEST(NormOverRanks, FrozenStatisticsStayAndTheRestLearns) {
  const model::Graph graph = model::build_backbone({.name = "mbf", .input = 16, .embedding = 8});
  model::TorchModel network(graph, model::initial_weights(graph, 3), at::kDouble);
  network.freeze_statistics(true);
  const at::Tensor images = channels_last(drawn("images", {6, 3, 16, 16}));
  const at::Tensor training = network.forward(images);
  const model::Weights before = network.state();
  training.sum().backward();
  network.train(false);
  EXPECT_TRUE(at::equal(network.forward(images), training));
  for (const auto& [name, parameter] : network.parameters())
    EXPECT_TRUE(parameter.grad().defined() && at::isfinite(parameter.grad()).all().item<bool>()) << name;
  const model::Weights initial = model::initial_weights(graph, 3);
  int statistics = 0;
  for (const model::TensorSpec& t : graph.tensors) {
    if (t.parameter) continue;
    ++statistics;
    EXPECT_EQ(before.tensors.at(t.name).as_double(), initial.tensors.at(t.name).as_double()) << t.name;
  }
  EXPECT_GT(statistics, 30);
}

}  // namespace
}  // namespace likeness::train
