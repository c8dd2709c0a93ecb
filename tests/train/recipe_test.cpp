// Shipped recipes parse, mean what their comments say, and mistakes in a recipe are named.
#include "train/recipe.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"

namespace likeness::train {
namespace {

Recipe parse(const std::string& yaml, const std::vector<std::string>& assignments = {}) {
  Config config = Config::parse(yaml, "test.yaml", assignments);
  return read_recipe(config);
}

TEST(Recipe, EveryShippedOneParsesAndResolvesToItself) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::source_dir() / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    Config config = Config::load(entry.path());
    const Recipe recipe = read_recipe(config);
    Config again = Config::parse(config.resolved(), "resolved.yaml");
    EXPECT_EQ(read_recipe(again).settings(), recipe.settings()) << entry.path();
    EXPECT_EQ(again.resolved(), config.resolved()) << entry.path();
  }
  EXPECT_GE(count, 2);
}

TEST(Recipe, Celeba64IsTheReferenceRecipe) {
  Config config = Config::load(test::source_dir() / "configs/celeba64_mbf.yaml");
  const Recipe r = read_recipe(config);
  EXPECT_EQ(r.data, "celeba64.faces.h5");
  EXPECT_EQ(r.backbone.name, "mbf");
  EXPECT_EQ(r.backbone.embedding, 512);
  EXPECT_EQ(r.input, 64);
  EXPECT_EQ(r.loss.name, "cosface");
  EXPECT_EQ(r.loss.at("margin"), .2);
  EXPECT_EQ(r.loss.at("scale"), 32);
  EXPECT_EQ(r.loss.at("gradient"), 0);
  EXPECT_EQ(r.loss.at("filter"), 0);
  EXPECT_EQ(r.sample_rate, 1);
  EXPECT_EQ(r.sub_centers, 1);
  EXPECT_EQ(r.rate, .05);
  EXPECT_EQ(r.optimizer.kind, RowRuleKind::kSgd);
  EXPECT_EQ(r.optimizer.momentum, .9);
  EXPECT_FALSE(r.optimizer.nesterov);
  EXPECT_EQ(r.weight_decay, 5e-4);
  EXPECT_TRUE(r.decay_everything);
  EXPECT_EQ(r.clip, 5);
  EXPECT_EQ(r.batch, 64);
  EXPECT_EQ(r.flip, .5);
  EXPECT_EQ(r.epochs, 5);
  EXPECT_EQ(r.steps, -1);
  EXPECT_EQ(r.precision, "f32");
  EXPECT_EQ(r.head_std, .01);
  EXPECT_EQ(r.schedule.kind, ScheduleKind::kPolynomial);
  EXPECT_EQ(r.schedule.power, 2);
  EXPECT_EQ(r.schedule.warmup, 0);
}

TEST(Recipe, DefaultsAreCosFaceAsTheFieldTrainsIt) {
  const Recipe r = parse("data: x");
  EXPECT_EQ(r.loss.name, "cosface");
  EXPECT_EQ(r.loss.at("margin"), .4);
  EXPECT_EQ(r.loss.at("scale"), 64);
  EXPECT_EQ(r.loss.at("gradient"), 0);
}

TEST(Recipe, MarginsReachTheirPlace) {
  const Recipe arc = parse("{data: x, head: {loss: arcface, gradient: straight_through, past_pi: continue}}");
  EXPECT_EQ(arc.loss.values, (std::map<std::string, double>{
                                 {"margin", .5}, {"scale", 64}, {"gradient", 1}, {"filter", 0}, {"past_pi", 2}}));
  const Recipe combined = parse("{data: x, head: {loss: combined, m1: 1.1, m2: 0.25, filter: 0.4}}");
  EXPECT_EQ(combined.loss.at("m1"), 1.1);
  EXPECT_EQ(combined.loss.at("m2"), .25);
  EXPECT_EQ(combined.loss.at("m3"), .2);
  EXPECT_EQ(combined.loss.at("filter"), .4);
  const Recipe many = parse("{data: x, head: {sub_centers: 3, sample_rate: 0.1, update: sparse, report: insightface}}");
  EXPECT_EQ(many.sub_centers, 3);
  EXPECT_EQ(many.sample_rate, .1);
  EXPECT_TRUE(many.sparse);
  const Recipe staged = parse("{data: x, head: {sample_stages: [0.1=0, 0.5=0.3]}}");
  ASSERT_EQ(staged.sample_stages.size(), 2u);
  EXPECT_EQ(staged.sample_stages[1].until, .5);
  EXPECT_EQ(staged.sample_stages[1].rate, .3);
  EXPECT_TRUE(many.cap_reported_loss);
  const Recipe binary = parse("{data: x, head: {loss: sphereface2, type: A, t: 4, scale: 40}}");
  EXPECT_EQ(binary.loss.at("type"), 1);
  EXPECT_EQ(binary.loss.at("t"), 3);  // its place among 1, 2, …
  EXPECT_EQ(binary.loss.at("alpha"), .7);
}

TEST(Recipe, AssignmentsWin) {
  const Recipe r = parse("{data: x, optimizer: {rate: 0.1}}", {"optimizer.rate=0.2", "steps=0", "data=y"});
  EXPECT_EQ(r.rate, .2);
  EXPECT_EQ(r.steps, 0);
  EXPECT_EQ(r.data, "y");
}

TEST(Recipe, MistakesAreNamed) {
  const auto refuse = [](const std::string& yaml, const std::string& word) {
    const Error e = test::error_of([&] { parse(yaml); });
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("test.yaml"), std::string::npos) << e.what();
  };
  refuse("{data: x, optimiser: {rate: 1}}", "optimizer");  // the nearest key is suggested
  refuse("{data: x, bacth: 3}", "batch");
  refuse("batch: 3", "data");
  refuse("{data: x, batch: 1}", "batch");
  refuse("{data: x, head: {loss: cosfase}}", "cosface");
  refuse("{data: x, backbone: {name: mfb}}", "mbf");
  refuse("{data: x, optimizer: {rate: fast}}", "optimizer.rate");
  refuse("{data: x, schedule: {kind: step}}", "milestones");
  refuse("{data: x, schedule: {kind: cosine, insightface: true}}", "insightface");
  for (const char* stages : {"[0.5]", "[0.5=2]", "[0.5=0, 0.4=1]", "[0=1]", "[x=1]", "[0.5=]"})
    refuse(std::string("{data: x, head: {sample_stages: ") + stages + "}}", "head.sample_stages");
  refuse("{data: x, head: {loss: cosface, m2: 0.1}}", "m2");  // another loss's key
  refuse("{data: x, head: {loss: arcface, past_pi: never}}", "mirror");
  refuse("{data: x, head: {loss: curricularface, filter: 0.4}}", "head.filter");
  refuse("{data: x, backbone: {name: init}}", "backbone.init");
  refuse("{data: x, backbone: {name: init, init: y, embedding: 128}}", "backbone.embedding");
  refuse("{data: x, backbone: {preprocess: mean=0}}", "backbone.preprocess");
  refuse("{data: x, head: {centres: run}}", "head.centres");
  refuse("{data: x, head: {loss: sphereface2, filter: 0.4}}", "head.filter");
  refuse("{data: x, head: {loss: sphereface2, t: 6}}", "head.t");
  refuse("{data: x, head: {loss: uniface, report: insightface}}", "head.report");
  refuse("{data: x, head: {precision: fp16}}", "head.precision");
  refuse("{data: x, triplet: {weight: 1}}", "sampler.pictures_per_identity");
  refuse("{data: x, sampler: {pictures_per_identity: 1}}", "sampler.pictures_per_identity");
  refuse("{data: x, backbone: {init: y}, head: {init: z, centres: run}}", "head.init");
}

TEST(Recipe, SettingsTellRunsApart) {
  EXPECT_NE(parse("data: x").settings(), parse("{data: x, seed: 2}").settings());
  EXPECT_EQ(parse("data: x").settings(), parse("{data: x, log_every: 7, keep: 9, workers: 3}").settings());
}

}  // namespace
}  // namespace likeness::train
