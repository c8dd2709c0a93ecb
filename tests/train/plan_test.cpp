// What a plan says follows from the recipe: parts, bytes between ranks, the batch that fits, advice.
#include <gtest/gtest.h>

#include "model/graph/backbones.h"
#include "tests/support/errors.h"
#include "train/plan/forecast.h"

namespace likeness::train {
namespace {

Recipe complete(const std::string& yaml, int ranks, std::int64_t pictures) {
  Config config = Config::parse(yaml, "test.yaml", {});
  Recipe r = read_recipe(config);
  r.ranks = ranks;
  complete_recipe(r, pictures, 112);
  return r;
}

std::int64_t bytes_of(const std::vector<Part>& parts, const std::string& name) {
  for (const Part& p : parts)
    if (p.name == name) return p.bytes;
  ADD_FAILURE() << "no part " << name;
  return -1;
}

bool any_says(const std::vector<std::string>& advice, const std::string& words) {
  for (const std::string& sentence : advice)
    if (sentence.find(words) != std::string::npos) return true;
  return false;
}

TEST(Plan, CentresAreSharedOutAndTheOptimizerCountsItsBuffers) {
  const Job job{.identities = 1001, .pictures = 100000};
  const Recipe sgd = complete("{data: x, batch: 32}", 4, job.pictures);
  const Recipe adamw =
      complete("{data: x, batch: 32, optimizer: {kind: adamw}, head: {sub_centers: 3}}", 4, job.pictures);
  const model::Graph graph = model::build_backbone(sgd.backbone);
  const auto one = forecast_memory(sgd, graph, job), two = forecast_memory(adamw, graph, job);
  EXPECT_EQ(bytes_of(one, "class centres"), 251 * 512 * 4);  // 1,001 over 4: rank 0 has one more
  EXPECT_EQ(bytes_of(one, "class centres: optimizer"), 251 * 512 * 4);
  EXPECT_EQ(bytes_of(two, "class centres"), 3 * 251 * 512 * 4);
  EXPECT_EQ(bytes_of(two, "class centres: optimizer"), 2 * 3 * 251 * 512 * 4);
  EXPECT_EQ(bytes_of(one, "network: optimizer"), graph.trainable_parameter_count() * 4);
  EXPECT_EQ(bytes_of(two, "network: optimizer"), graph.trainable_parameter_count() * 8);
  EXPECT_EQ(bytes_of(one, "network: buckets between ranks"), graph.trainable_parameter_count() * 4);
  EXPECT_EQ(bytes_of(one, "cosines of a step"), 251 * 4 * 32 * 4);
}

TEST(Plan, CosinesBeyondTheirBudgetAreNotKept) {
  const Job job{.identities = 1'000'000, .pictures = 10'000'000};
  const Recipe r = complete("{data: x, batch: 512}", 1, job.pictures);
  EXPECT_EQ(bytes_of(forecast_memory(r, model::build_backbone(r.backbone), job), "cosines of a step"), 0);
}

TEST(Plan, RingsSendWhatTheirFormulaSays) {
  const Job job{.identities = 1000, .pictures = 100000};
  const Recipe alone = complete("{data: x}", 1, job.pictures);
  const model::Graph graph = model::build_backbone(alone.backbone);
  EXPECT_TRUE(forecast_communication(alone, graph, job).empty());
  const Recipe four = complete("{data: x, batch: 32, ranks: {compression: bf16}}", 4, job.pictures);
  const auto sent = forecast_communication(four, graph, job);
  EXPECT_EQ(bytes_of(sent, "gradients of the network"), 2 * graph.trainable_parameter_count() * 2 * 3 / 4);
  EXPECT_EQ(bytes_of(sent, "embeddings and labels to all"), 3 * 32 * (512 * 4 + 8));
  EXPECT_EQ(bytes_of(sent, "gradients of the embeddings"), 2 * (4 * 32 * 512 * 4) * 3 / 4);
}

TEST(Plan, TheLargestBatchFitsAndOneMoreDoesNot) {
  const Job job{.identities = 10000, .pictures = 1'000'000};
  Recipe r = complete("{data: x, batch: 32}", 2, job.pictures);
  const model::Graph graph = model::build_backbone(r.backbone);
  const std::int64_t limit = std::int64_t{4} << 30, batch = largest_batch(r, graph, job, limit);
  ASSERT_GE(batch, 32);
  r.batch = batch;
  EXPECT_LE(total(forecast_memory(r, graph, job)), limit);
  r.batch = batch + 1;
  EXPECT_GT(total(forecast_memory(r, graph, job)), limit);
  EXPECT_EQ(largest_batch(r, graph, job, 1 << 20), 0);
}

TEST(Plan, AdviceNamesWhatIsWrongAndOnlyThat) {
  const Job small{.identities = 5585, .pictures = 49985}, huge{.identities = 2'059'906, .pictures = 42'474'557};
  const Recipe sound = complete("{data: x, batch: 128, optimizer: {rate: 0.1}}", 8, small.pictures);
  const model::Graph graph = model::build_backbone(sound.backbone);
  EXPECT_EQ(advise(sound, graph, small, 0), std::vector<std::string>{});
  EXPECT_TRUE(any_says(advise(sound, graph, huge, 0), "head.sample_rate"));
  EXPECT_TRUE(any_says(advise(sound, graph, small, 1 << 30), "accumulate"));
  EXPECT_TRUE(any_says(advise(sound, graph, small, std::int64_t{64} << 30), "fits"));
  EXPECT_TRUE(any_says(advise(sound, graph, {.identities = 9000, .pictures = 18000}, 0), "five pictures"));
  const Recipe fast = complete("{data: x, batch: 16, optimizer: {rate: 1}}", 1, small.pictures);
  EXPECT_TRUE(any_says(advise(fast, graph, {.identities = 93431, .pictures = 5179510}, 0), "optimizer.rate"));
  EXPECT_FALSE(any_says(advise(fast, graph, small, 0), "optimizer.rate"));
  const Recipe late =
      complete("{data: x, batch: 128, steps: 5, optimizer: {rate: 0.1}, schedule: {warmup: 9}}", 8, small.pictures);
  EXPECT_TRUE(any_says(advise(late, graph, small, 0), "schedule.warmup"));
}

}  // namespace
}  // namespace likeness::train
