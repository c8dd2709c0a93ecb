// Several sets in one run, each with a classifier of its own.
#include "train/further_sets.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "core/config.h"
#include "tests/train/ranks.h"
#include "tests/train/toy_net.h"
#include "tests/train/toy_run.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

using test::error_of;
using test::read_text_file;

std::vector<FurtherSetOptions> parse(const std::string& entries) {
  Config config = Config::parse("also: " + entries, "r.yaml");
  return read_further_sets(config);
}

TEST(FurtherSetOptions, FileSharesAndWeightAreRead) {
  const auto sets = parse("[\"a=b.faces.h5=32\", \"dir/c.rec=8*0.25\"]");
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0].data, "a=b.faces.h5");
  EXPECT_EQ(sets[0].batch, 32);
  EXPECT_EQ(sets[0].weight, 1);
  EXPECT_EQ(sets[1].data, "dir/c.rec");
  EXPECT_EQ(sets[1].batch, 8);
  EXPECT_EQ(sets[1].weight, .25);
  EXPECT_TRUE(parse("[]").empty());
}

TEST(FurtherSetOptions, AnythingElseIsRefusedByName) {
  for (const char* bad : {"a.faces.h5", "=32", "a=1", "a=x", "a=8*", "a=8*0", "a=8*-1", "a=8*nan", "a=8 ", "a=8*1*2"}) {
    const Error e = error_of([&] { parse("[\"" + std::string(bad) + "\"]"); });
    EXPECT_EQ(e.kind(), ErrorKind::kUsage) << bad;
    EXPECT_NE(e.parts().where.find("also"), std::string::npos) << bad;
    EXPECT_EQ(e.parts().got, bad);
  }
}

// The joint loss's gradient and the classifiers' steps, against two heads stepped by hand on the same embeddings, for
// one batch per step and for two.
TEST(FurtherSetsInAStep, GradientIsTheWeightedSumOfTheLosses) {
  const model::Graph graph = test::small_graph();
  for (const std::int64_t count : {1, 2}) {
    Recipe recipe;
    recipe.optimizer.momentum = 0;
    recipe.weight_decay = 0, recipe.clip = 0, recipe.rate = 1, recipe.accumulate = count;
    recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 1};
    const auto make = [] {
      return model::TorchModel(test::small_graph(), model::initial_weights(test::small_graph(), 1), at::kDouble);
    };
    const ClassifierOptions first{.classes = 7, .dimension = 8, .seed = 2},
        second{.classes = 3, .dimension = 8, .seed = 3};
    constexpr double kWeight = .25;
    const auto images = [](std::int64_t n) {
      return at::sin(at::arange(6 * 3 * 256, at::kDouble) * (static_cast<double>(n) + .37)).reshape({6, 3, 16, 16});
    };
    const at::Tensor a = at::tensor({5, 0, 6, 2}, at::kLong), b = at::tensor({1, 2}, at::kLong);

    model::TorchModel network = make();
    Classifier head(first, at::kDouble), further(second, at::kDouble);
    Trainer trainer(network, head, recipe, at::kCPU, {}, {{.name = "b", .head = &further, .weight = kWeight}});
    network.train(true);
    std::int64_t drawn = 0;
    const StepMeters m = trainer.step(count, [&] { return MicroBatch{images(drawn++), a, {}, {b}}; });

    model::TorchModel by_hand = make();
    by_hand.train(true);
    Classifier hand_head(first, at::kDouble), hand_further(second, at::kDouble);
    HeadGradient sum_head = hand_head.zero_gradient(), sum_further = hand_further.zero_gradient();
    at::Tensor loss = at::zeros({}, at::kDouble), other = at::zeros({}, at::kDouble);
    const double share = 1.0 / static_cast<double>(count);
    for (std::int64_t n = 0; n < count; ++n) {
      const at::Tensor embeddings = by_hand.forward(images(n));
      const HeadStep x = hand_head.step(embeddings.narrow(0, 0, 4), a, 0, nullptr, &sum_head, share);
      const HeadStep y = hand_further.step(embeddings.narrow(0, 4, 2), b, 0, nullptr, &sum_further, share * kWeight);
      torch::autograd::backward({embeddings}, {at::cat({x.embeddings, y.embeddings})});
      loss = loss + share * x.loss, other = other + share * y.loss;
    }
    const auto near = [](const at::Tensor& l, const at::Tensor& r) {
      return ((l - r).norm() / r.norm()).item<double>();
    };
    EXPECT_LT(near(m.loss, loss), 1e-12);
    ASSERT_EQ(m.terms.size(), 1u);
    EXPECT_EQ(m.terms[0].first, "loss/b");
    EXPECT_LT(near(m.terms[0].second, other), 1e-12);
    const auto moved = network.parameters(), gradients = by_hand.parameters();
    const model::TorchModel start = make();
    const auto before = start.parameters();
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < moved.size(); ++i)
      EXPECT_LT((before[i].second - moved[i].second - gradients[i].second.grad()).norm().item<double>(),
                1e-12 * (1 + gradients[i].second.grad().norm().item<double>()))
          << moved[i].first;
    EXPECT_LT(near(Classifier(first, at::kDouble).weight() - head.weight(), sum_head.centres), 1e-9);
    EXPECT_LT(near(Classifier(second, at::kDouble).weight() - further.weight(), sum_further.centres), 1e-9);
  }
}

// Two ranks, each with half of both sets' pictures, and one rank with all of them.
TEST(FurtherSetsInAStep, RanksTogetherAreOne) {
  constexpr std::int64_t kFirst = 4, kSecond = 2;  // pictures of a rank
  Recipe recipe;
  recipe.rate = 1, recipe.schedule = {.kind = ScheduleKind::kConstant, .total = 3};
  const at::Tensor pictures = at::sin(at::arange(12 * 3 * 256, at::kDouble) * .37).reshape({12, 3, 16, 16});
  const at::Tensor a = (at::arange(2 * kFirst, at::kLong) * 5) % 7, b = (at::arange(2 * kSecond, at::kLong) * 2) % 3;
  std::vector<at::Tensor> ends[2];
  for (const int ranks : {1, 2})
    test::on_ranks(ranks, [&](Group& group) {
      at::set_num_threads(1);
      model::TorchModel network(test::small_graph(), model::initial_weights(test::small_graph(), 1), at::kDouble);
      Classifier head({.classes = 7, .dimension = 8, .seed = 2}, at::kDouble, &group),
          further({.classes = 3, .dimension = 8, .seed = 3}, at::kDouble, &group);
      Trainer trainer(network, head, recipe, at::kCPU, {}, {{.name = "b", .head = &further, .weight = .5}});
      network.train(true);
      const std::int64_t first = 2 * kFirst / ranks, second = 2 * kSecond / ranks;
      const at::Tensor own_a = a.narrow(0, group.rank() * first, first).contiguous(),
                       own_b = b.narrow(0, group.rank() * second, second).contiguous(),
                       own = at::cat({pictures.narrow(0, group.rank() * first, first),
                                      pictures.narrow(0, 2 * kFirst + group.rank() * second, second)});
      std::vector<at::Tensor> end;
      for (int step = 0; step < 3; ++step) {
        const StepMeters m = trainer.step(MicroBatch{own, own_a, {}, {own_b}});
        end.push_back(m.loss), end.push_back(m.terms.at(0).second), end.push_back(m.gradient_norm);
      }
      for (const auto& [name, value] : network.parameters()) end.push_back(value.detach().clone());
      const auto all_rows = [&](const Classifier& c) {  // shards differ in size
        at::Tensor rows = at::zeros({c.options().classes, 8}, at::kDouble);
        rows.narrow(0, c.range().begin, c.range().count).copy_(c.weight());
        group.all_reduce_sum(rows);
        return rows;
      };
      end.push_back(all_rows(head)), end.push_back(all_rows(further));
      if (group.rank() == 0) ends[ranks - 1] = end;
    });
  ASSERT_EQ(ends[0].size(), ends[1].size());
  for (std::size_t i = 0; i < ends[0].size(); ++i)
    EXPECT_LT(((ends[0][i] - ends[1][i]).norm() / ends[0][i].norm()).item<double>(), 1e-12) << i;
}

class FurtherSetsTest : public test::ToyRuns {
 protected:
  FurtherSetsTest() { other_ = test::make_toy_set(dir_ / "others", 3, 7); }
  std::vector<std::string> also(const std::string& share = "=3*0.5") const {
    return {"also=[\"" + other_.string() + share + "\"]"};
  }
  std::filesystem::path other_;
};

TEST_F(FurtherSetsTest, BothLossesFallAndBothClassifiersAreKept) {
  std::vector<std::string> settings = also();
  settings.push_back("optimizer.rate=0.1");
  run_training(request("run", 60, settings), {});
  std::istringstream log(read_text_file(dir_ / "run/log.jsonl"));
  std::vector<double> losses;
  for (std::string line; std::getline(log, line);)
    if (const auto j = nlohmann::json::parse(line); j["kind"] == "train") losses.push_back(j.at("loss/others"));
  ASSERT_GT(losses.size(), 10u);
  EXPECT_LT(losses.back(), .5 * losses.front());
  const Checkpoint c = load_checkpoint(last("run"));
  EXPECT_EQ(c.head.metadata.at("classes"), "4");
  EXPECT_EQ(join_rows(c.head, "weight", 4, 16, "").shape, (std::vector<std::int64_t>{4, 16}));
  EXPECT_EQ(join_rows(c.head, "also/0/weight", 3, 16, "").shape, (std::vector<std::int64_t>{3, 16}));
  EXPECT_EQ(join_rows(c.optimizer, "momentum/also/0/head", 3, 16, "").shape, (std::vector<std::int64_t>{3, 16}));
  EXPECT_NE(read_text_file(dir_ / "run/provenance.json").find("21 pictures, 3 identities"), std::string::npos);
}

TEST_F(FurtherSetsTest, StoppedAndResumedItEndsWithTheSameBytes) {
  run_training(request("whole", 11, also()), {});
  for (int stop : {1, 5, 8}) {
    const std::string out = "stopped" + std::to_string(stop);
    stop_and_resume(out, 11, stop, also());
    expect_same_end("whole", out);
  }
}

TEST_F(FurtherSetsTest, ResumingWithoutItOrWithOtherPicturesIsRefused) {
  run_training(request("run", 4, also()), {});
  const Error gone = error_of([&] { run_training(request("run", 4, {}, RunStart::kResume), {}); });
  EXPECT_EQ(gone.kind(), ErrorKind::kUsage);
  EXPECT_NE(gone.parts().where.find("also"), std::string::npos) << gone.what();
  test::make_toy_set(other_, 4, 7);
  const Error changed = error_of([&] { run_training(request("run", 4, also(), RunStart::kResume), {}); });
  EXPECT_NE(changed.parts().where.find("also"), std::string::npos) << changed.what();
}

TEST_F(FurtherSetsTest, WhatIsWrongWithASetIsSaidByName) {
  const auto refusal = [&](const std::vector<std::string>& settings) {
    return error_of([&] { run_training(request("run", 4, settings), {}); });
  };
  EXPECT_NE(refusal(also("=22")).parts().where.find("others"), std::string::npos);  // fewer pictures than its batch
  const std::string entry = "\"" + other_.string() + "=3\"";
  EXPECT_EQ(refusal({"also=[" + entry + "," + entry + "]"}).parts().what, "two sets of one name");
  const auto large = test::make_toy_set(dir_ / "large", 3, 4, 32);
  const Error size = refusal({"also=[\"" + large.string() + "=3\"]"});
  EXPECT_EQ(size.kind(), ErrorKind::kData) << size.what();
  EXPECT_NE(size.parts().where.find("large"), std::string::npos) << size.what();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run"));
}

// A picture that breaks the run is named with its set.
TEST_F(FurtherSetsTest, ADivergingStepNamesThePicturesOfAllSets) {
  std::vector<std::string> settings = also();
  for (const char* s : {"optimizer.rate=1e3", "optimizer.clip=0", "schedule.kind=constant", "checkpoint_every=1",
                        "head.scale=1e4", "guard.skips=0", "guard.rollbacks=0"})
    settings.emplace_back(s);
  const Error e = error_of([&] { run_training(request("run", 20, settings), {}); });
  EXPECT_NE(e.parts().where.find("others: p1"), std::string::npos) << e.what();
}

}  // namespace
}  // namespace likeness::train
