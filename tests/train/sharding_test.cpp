// The head shared out over ranks (threads over Gloo): equal to arcface_torch's PartialFC_V2, and W ranks equal one.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <mutex>

#include "tests/train/head_case.h"
#include "tests/train/ranks.h"

namespace likeness::train {
namespace {

using test::expect_equal;
using test::head_with;
using test::labels_of;
using test::on_ranks;
using test::tensor_of;

struct PartialCase {
  std::string name;
  LossOptions loss;
  bool sampled, steps;
};

// Two ranks of PartialFC_V2 in f64, its sampled classes replayed: loss, both gradients, and the weights after one and
// two steps (unsampled centres move too).
TEST(Sharding, EqualsPartialFcOnTwoRanks) {
  const test::Npz npz(test::golden("partial_fc.npz"));
  const LossOptions arc{"arcface", {{"gradient", 1}, {"past_pi", 2}}}, cos{"cosface"};
  const PartialCase cases[] = {{"arc", arc, false, false},
                               {"cos", cos, false, false},
                               {"cos_filter04", {"cosface", {{"filter", .4}}}, false, false},
                               {"cos_rate08", cos, true, false},
                               {"arc_rate03", arc, true, true},
                               {"cos_rate05", cos, true, true}};
  for (const PartialCase& c : cases) {
    on_ranks(2, [&](Group& group) {
      const std::string prefix = "w2." + c.name + ".rank" + std::to_string(group.rank()) + ".";
      const auto at = [&](const std::string& what) -> const test::Array& { return npz.at(prefix + what); };
      Classifier head({.classes = 24, .dimension = 16, .loss = c.loss, .cap_reported_loss = true}, at::kDouble, &group);
      head.weight().copy_(tensor_of(at("weight")));
      EXPECT_EQ(head.range().begin, at("class_start").as_int().at(0));
      EXPECT_EQ(head.range().count, at("num_local").as_int().at(0));
      std::vector<std::int64_t> classes(static_cast<std::size_t>(head.range().count));
      for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<std::int64_t>(i);
      const at::Tensor e = tensor_of(at("embeddings")), labels = labels_of(at("labels"));
      const RowRule rule{.rate = .1, .weight_decay = 5e-4, .momentum = .9};
      if (c.sampled) classes = at("sampled_index").as_int();
      HeadGradient gradient = head.zero_gradient();
      const HeadStep step = head.step_on(classes, e, labels, 0, c.steps ? &rule : nullptr, &gradient);
      EXPECT_NEAR(step.loss.item<double>(), at("loss").scalar(), 1e-12 * at("loss").scalar()) << prefix;
      expect_equal(step.embeddings, at("grad_embeddings"), prefix + "embeddings");
      expect_equal(gradient.centres, at("grad_weight"), prefix + "weight");
      if (!c.steps) return;
      expect_equal(head.weight(), at("weight_after_step1"), prefix + "after step 1");
      const HeadStep second = head.step_on(at("step2.sampled_index").as_int(), e * .5, labels, 1, &rule);
      EXPECT_NEAR(second.loss.item<double>(), at("step2.loss").scalar(), 1e-12 * at("step2.loss").scalar()) << prefix;
      expect_equal(head.weight(), at("weight_after_step2"), prefix + "after step 2");
    });
  }
}

constexpr std::int64_t kClasses = 53, kDimension = 24, kBatch = 12;  // 53 is divisible by none of 2, 3, 4

at::Tensor wave(std::int64_t rows, double f) {
  return at::sin(at::arange(rows * kDimension, at::kDouble) * f).reshape({rows, kDimension});
}

struct World {
  at::Tensor loss, embeddings, weight;
};

// Two steps on `size` ranks: what they end with, put together. `share`: the classes taking part; empty: all.
World run_world(int size, const ClassifierOptions& options, const std::vector<std::int64_t>& share) {
  const at::Tensor e = wave(kBatch, .37) * 9, w = wave(kClasses * options.sub_centers, 1.13);
  const at::Tensor labels = (at::arange(kBatch, at::kLong) * 17 + 3) % kClasses;
  std::mutex mutex;
  std::vector<at::Tensor> gradients(static_cast<std::size_t>(size)), weights(gradients.size());
  World world;
  on_ranks(size, [&](Group& group) {
    Classifier head = head_with(options.loss, w, options, &group);
    std::vector<std::int64_t> mine;
    for (std::int64_t c : share)
      if (head.range().holds(c)) mine.push_back(c - head.range().begin);
    const std::int64_t each = kBatch / size, first = each * group.rank();
    const RowRule rule{.rate = .2, .weight_decay = 1e-2, .momentum = .9};
    HeadStep step;
    for (int n = 0; n < 2; ++n) {
      const at::Tensor own = e.narrow(0, first, each), own_labels = labels.narrow(0, first, each);
      step = share.empty() ? head.step(own, own_labels, n, &rule) : head.step_on(mine, own, own_labels, n, &rule);
    }
    std::lock_guard lock(mutex);
    gradients[static_cast<std::size_t>(group.rank())] = step.embeddings / size;
    weights[static_cast<std::size_t>(group.rank())] = head.weight();
    world.loss = step.loss;
  });
  world.embeddings = at::cat(gradients), world.weight = at::cat(weights);
  return world;
}

class EveryLossSharded : public testing::TestWithParam<std::string> {};

TEST_P(EveryLossSharded, ManyRanksEqualOne) {
  std::vector<std::int64_t> some;
  for (std::int64_t b = 0; b < kBatch; ++b) some.push_back((b * 17 + 3) % kClasses);
  for (std::int64_t c = 0; c < kClasses; c += 3) some.push_back(c);
  std::sort(some.begin(), some.end());
  some.erase(std::unique(some.begin(), some.end()), some.end());
  struct Variant {
    std::int64_t centres;
    bool sparse, sampled;
  };
  for (const Variant v : {Variant{1, false, false}, Variant{2, false, true}, Variant{1, true, true}}) {
    const ClassifierOptions options{.loss = {GetParam()}, .sub_centers = v.centres, .sparse = v.sparse};
    const auto share = v.sampled ? some : std::vector<std::int64_t>{};
    const World one = run_world(1, options, share);
    for (int size : {2, 3, 4}) {
      const World many = run_world(size, options, share);
      EXPECT_NEAR(many.loss.item<double>(), one.loss.item<double>(), 1e-12 * one.loss.item<double>()) << size;
      EXPECT_LT(((many.embeddings - one.embeddings).norm() / one.embeddings.norm()).item<double>(), 1e-12) << size;
      EXPECT_LT(((many.weight - one.weight).norm() / one.weight.norm()).item<double>(), 1e-12) << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sharding, EveryLossSharded, testing::ValuesIn(test::loss_names()),
                         [](const auto& info) { return info.param; });

TEST(Sharding, SparseLeavesUnsampledCentresAndDenseDecaysThem) {
  const std::vector<std::int64_t> taking = {3, 5, 20};
  const at::Tensor e = wave(2, .3), labels = at::tensor({3, 20}, at::kLong), w = wave(kClasses, 1.13);
  const RowRule rule{.rate = .2, .weight_decay = 1e-2, .momentum = .9};
  for (const bool sparse : {true, false}) {
    Classifier head = head_with({"cosface"}, w, {.sparse = sparse});
    head.step_on(taking, e, labels, 0, &rule);
    for (std::int64_t c = 0; c < kClasses; ++c) {
      const bool taken = std::find(taking.begin(), taking.end(), c) != taking.end();
      const double moved = (head.weight()[c] - w[c]).abs().max().item<double>();
      const double decayed = (head.weight()[c] - w[c] * (1 - .2 * 1e-2)).abs().max().item<double>();
      if (taken) {
        EXPECT_GT(decayed, 1e-4) << c;
      } else if (sparse) {
        EXPECT_EQ(moved, 0) << c;
      } else {
        EXPECT_LT(decayed, 1e-15) << c;
      }
    }
  }
}

// A rate's classes are drawn again the same way, so a step can be repeated.
TEST(Sharding, ASampledStepIsReproducible) {
  const at::Tensor e = wave(kBatch, .37), labels = at::arange(kBatch, at::kLong);
  std::vector<at::Tensor> ends;
  for (std::int64_t step : {4, 4, 5}) {
    Classifier head({.classes = 1000, .dimension = kDimension, .sample_rate = .1, .seed = 9}, at::kDouble);
    const RowRule rule{.rate = .1};
    head.step(e, labels, step, &rule);
    ends.push_back(head.weight());
  }
  EXPECT_TRUE(at::equal(ends[0], ends[1]));
  EXPECT_FALSE(at::equal(ends[0], ends[2]));
}

TEST(Gloo, SumsMaximaAndRowsArrive) {
  for (auto type : {at::kFloat, at::kDouble, at::kBFloat16})
    on_ranks(3, [type](Group& group) {
      at::Tensor sum = at::full({5}, group.rank() + 1, at::kFloat).to(type), top = sum.clone();
      group.all_reduce_sum(sum);
      group.all_reduce_max(top);
      EXPECT_EQ(sum[2].item<double>(), 6);
      EXPECT_EQ(top[2].item<double>(), 3);
      at::Tensor from_one = at::full({2}, group.rank(), at::kFloat);
      group.broadcast(from_one, 1);
      EXPECT_EQ(from_one[1].item<double>(), 1);
      const auto rows = group.all_gather(at::full({2}, group.rank(), at::kLong));
      ASSERT_EQ(rows.size(), 3u);
      for (std::int64_t r = 0; r < 3; ++r) EXPECT_EQ(rows[static_cast<std::size_t>(r)][0].item<std::int64_t>(), r);
    });
}

}  // namespace
}  // namespace likeness::train
