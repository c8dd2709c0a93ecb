// The page about a run: drawn from its folder, escaped, honest about what is not there.
#include "train/page/run_page.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/errors.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/page/line_chart.h"

namespace likeness::train {
namespace {

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

TEST(LineChart, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axis_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  for (const auto& [low, high] : {std::pair{3.1, 17.9}, {-0.002, 0.0007}, {1e5, 3.3e6}}) {
    const std::vector<double> ticks = axis_ticks(low, high, 4);
    EXPECT_LE(ticks.front(), low);
    EXPECT_GE(ticks.back(), high);
    EXPECT_GE(ticks.size(), 3u);
    EXPECT_LE(ticks.size(), 8u);
  }
  EXPECT_EQ(axis_ticks(4, 4, 4), (std::vector<double>{3, 4, 5}));
}

TEST(LineChart, ASpikeAmongThousandsOfPointsIsDrawn) {
  ChartSeries flat{"loss", {}};
  for (int i = 0; i < 100000; ++i) flat.points.emplace_back(i, i == 54321 ? 100 : 1);
  const std::string svg = line_chart({.title = "loss"}, {flat});
  EXPECT_LT(svg.size(), 40000u);
  // y runs from 0 at 214 to 100 at 8: the spike touches the top.
  EXPECT_NE(svg.find(" 8.0L"), std::string::npos);
}

TEST(LineChart, WhatCannotBeDrawnIsLeftOut) {
  EXPECT_EQ(line_chart({.title = "x"}, {}), "");
  EXPECT_EQ(line_chart({.title = "x"}, {{"a", {{1, NAN}, {2, INFINITY}}}}), "");
  EXPECT_EQ(line_chart({.title = "x", .logarithmic = true}, {{"a", {{1, 0}, {2, -1}}}}), "");
  EXPECT_NE(line_chart({.title = "x", .logarithmic = true}, {{"a", {{1, 0}, {2, 1}}}}).find("<circle"),
            std::string::npos);
}

class RunPageTest : public testing::Test {
 protected:
  RunPageTest() {
    RunFolder folder(run_, RunStart::kNew, 0, "seed: 1 # <b>\n", {{"data", "faces <x>.h5"}, {"identities", "4"}});
    for (int i = 1; i <= 3; ++i) {
      folder.log({.step = 50 * i,
                  .epoch = i / 2.0,
                  .loss = 9.0 / i,
                  .rate = .1,
                  .gradient_norm = i == 2 ? NAN : 2.0,
                  .pictures_per_second = 90,
                  .seconds = 30.0 * i});
      folder.log_validation(50 * i, "lfw", {{"accuracy", .7 + .05 * i}, {"auc", .9}});
      folder.log_validation(50 * i, "dev", {{"accuracy", .6}});
    }
  }
  test::TempDir dir_;
  std::filesystem::path run_ = dir_ / "run <i>";
};

TEST_F(RunPageTest, HoldsCurvesFiguresAndRecipeEscaped) {
  const std::string page = run_page(read_run_record(run_));
  EXPECT_EQ(count_of(page, "<svg"), 6u);  // four of training, two metrics
  EXPECT_NE(page.find("Training run run &lt;i&gt;"), std::string::npos);
  EXPECT_NE(page.find("faces &lt;x&gt;.h5"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_EQ(page.find("<x>"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);  // loads nothing
  EXPECT_NE(page.find("<div class=\"big\">3.000</div>"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"n\">0.8500</td>"), std::string::npos);
}

TEST_F(RunPageTest, IsWrittenWhenTheRunIsDone) {
  RunFolder(run_, RunStart::kResume, 150, "seed: 1\n", {}).done({.step = 150, .loss = 3});
  EXPECT_EQ(count_of(test::read_text_file(run_ / "run.html"), "<svg"), 6u);
}

TEST_F(RunPageTest, ALineCutShortIsLeftOutAndABrokenOneIsNamed) {
  const std::string log = test::read_text_file(run_ / "log.jsonl");
  test::write_text(run_ / "log.jsonl", log + R"({"kind":"train","st)");
  EXPECT_EQ(read_run_record(run_).rows.size(), 3u);
  test::write_text(run_ / "log.jsonl", "nonsense\n" + log);
  const Error e = test::error_of([&] { read_run_record(run_); });
  EXPECT_EQ(e.kind(), ErrorKind::kData);
  EXPECT_NE(e.parts().where.find("log.jsonl:1"), std::string::npos);
}

TEST_F(RunPageTest, ARunThatLoggedNothingHasAPage) {
  RunRecord record = read_run_record(run_);
  record.rows.clear(), record.validations.clear();
  const std::string page = run_page(record);
  EXPECT_EQ(count_of(page, "<svg"), 0u);
  EXPECT_EQ(page.find("Validation"), std::string::npos);
}

}  // namespace
}  // namespace likeness::train
