// Batch-hard triplets: against loops that look at every pair, the derivative, and 2, 3 and 4 ranks against one.
#include "train/head/triplet.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <mutex>

#include "tests/train/head_case.h"
#include "tests/train/ranks.h"
#include "train/head/classifier.h"

namespace likeness::train {
namespace {

constexpr std::int64_t kBatch = 12, kDimension = 8;

at::Tensor unit_rows(double f) {
  const at::Tensor x = at::sin(at::arange(kBatch * kDimension, at::kDouble) * f).reshape({kBatch, kDimension});
  return x / x.norm(2, {1}, true);
}

const std::vector<std::int64_t> kLabels = {0, 1, 0, 2, 1, 0, 3, -1, 2, -1, 1, 4};  // 3 and 4 stand alone

double by_looking(const at::Tensor& unit, const std::vector<std::int64_t>& labels, double margin, int* anchors) {
  double total = 0;
  *anchors = 0;
  for (std::int64_t a = 0; a < kBatch; ++a) {
    double nearest = -9, farthest = 9;
    const std::int64_t own = labels[static_cast<std::size_t>(a)];
    for (std::int64_t b = 0; b < kBatch && own >= 0; ++b) {
      const std::int64_t other = labels[static_cast<std::size_t>(b)];
      if (b == a || other < 0) continue;
      const double distance = (unit[a] - unit[b]).square().sum().item<double>(), cosine = 1 - distance / 2;
      if (own == other)
        farthest = std::min(farthest, cosine);
      else
        nearest = std::max(nearest, cosine);
    }
    if (nearest < -8 || farthest > 8) continue;
    ++*anchors;
    total += std::max(0., margin + (2 - 2 * farthest) - (2 - 2 * nearest));
  }
  return *anchors ? total / *anchors : 0;
}

TEST(Triplet, IsTheHardestPairOfEachPicture) {
  for (const double margin : {0., .3, 2.})
    for (const double f : {.37, 1.1, 2.3}) {
      const at::Tensor unit = unit_rows(f);
      int anchors = 0;
      const double want = by_looking(unit, kLabels, margin, &anchors);
      const Triplets t = batch_hard(unit, kLabels, margin);
      EXPECT_EQ(t.anchors, anchors);
      EXPECT_EQ(anchors, 8);
      EXPECT_NEAR(t.loss.item<double>(), want, 1e-13);
      for (int k = 0; k < 4; ++k) {  // unit need not stay of unit length for the derivative by it: cosines are products
        const at::Tensor step = at::cos(at::arange(unit.numel(), at::kDouble) * (k + 1.3)).reshape(unit.sizes());
        const double h = 1e-7, up = batch_hard(unit + h * step, kLabels, margin).loss.item<double>(),
                     down = batch_hard(unit - h * step, kLabels, margin).loss.item<double>();
        EXPECT_NEAR((t.gradient * step).sum().item<double>(), (up - down) / (2 * h), 1e-7);
      }
    }
}

TEST(Triplet, WithoutPairsThereIsNothing) {
  std::vector<std::int64_t> alone(kBatch), same(kBatch, 5);
  for (std::size_t i = 0; i < alone.size(); ++i) alone[i] = static_cast<std::int64_t>(i);
  for (const auto& labels : {alone, same, std::vector<std::int64_t>(kBatch, -1)}) {
    const Triplets t = batch_hard(unit_rows(.7), labels, .3);
    EXPECT_EQ(t.anchors, 0);
    EXPECT_EQ(t.loss.item<double>(), 0);
    EXPECT_EQ(t.gradient.abs().max().item<double>(), 0);
  }
}

TEST(Triplet, StandsBesideTheLossOnAnyNumberOfRanks) {
  const at::Tensor w = at::sin(at::arange(7 * kDimension, at::kDouble) * 1.7).reshape({7, kDimension});
  const at::Tensor e = unit_rows(1.1) * 3;
  const at::Tensor labels = at::tensor(kLabels, at::kLong);
  const ClassifierOptions with{.triplet = {.weight = 2.5, .margin = .4}};
  const auto run = [&](int size, const ClassifierOptions& options) {
    std::vector<at::Tensor> gradients(static_cast<std::size_t>(size));
    at::Tensor loss;
    std::mutex mutex;
    test::on_ranks(size, [&](Group& group) {
      Classifier head = test::head_with({"cosface"}, w, options, &group);
      const std::int64_t each = kBatch / size, first = each * group.rank();
      const HeadStep s = head.step(e.narrow(0, first, each), labels.narrow(0, first, each), 0, nullptr, nullptr, .5);
      std::lock_guard lock(mutex);
      gradients[static_cast<std::size_t>(group.rank())] = s.embeddings / size;
      loss = s.loss;
    });
    return std::pair(loss.item<double>(), at::cat(gradients));
  };
  const auto [loss, gradient] = run(1, with);
  const auto [bare_loss, bare] = run(1, {});
  const Triplets t = batch_hard(e / e.norm(2, {1}, true), kLabels, .4);
  EXPECT_NEAR(loss - bare_loss, 2.5 * t.loss.item<double>(), 1e-12);
  const at::Tensor u = e / e.norm(2, {1}, true);
  const at::Tensor along = .5 * 2.5 * (t.gradient - u * (t.gradient * u).sum(1, true)) / e.norm(2, {1}, true);
  EXPECT_LT((gradient - bare - along).abs().max().item<double>(), 1e-12);
  for (int size : {2, 3, 4}) {
    const auto [many_loss, many] = run(size, with);
    EXPECT_NEAR(many_loss, loss, 1e-12);
    EXPECT_LT(((many - gradient).norm() / gradient.norm()).item<double>(), 1e-12) << size;
  }
}

}  // namespace
}  // namespace likeness::train
