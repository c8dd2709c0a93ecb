// Entries of `validate`, and the figure that chooses the best weights.
#include "train/rehearsal.h"

#include <gtest/gtest.h>

#include "tests/train/toy_run.h"
#include "train/validation.h"

namespace likeness::train {
namespace {

using test::error_of;
using test::read_text_file;

TEST(ValidationEntries, AreReadAndNamed) {
  const auto plain = parse_validation_entry("data/lfw.faces.h5");
  EXPECT_EQ(plain.set, "data/lfw.faces.h5");
  EXPECT_TRUE(plain.pairs.empty() && plain.by.empty() && plain.against.empty());
  EXPECT_EQ(set_name("data/lfw.faces.h5"), "lfw");
  const auto groups = parse_validation_entry("lfw.faces.h5=lfw/pairs.txt by gender,race at fmr=1e-2");
  EXPECT_EQ(groups.set, "lfw.faces.h5");
  EXPECT_EQ(groups.pairs, "lfw/pairs.txt");
  EXPECT_EQ(groups.by, (std::vector<std::string>{"gender", "race"}));
  EXPECT_EQ(groups.at, "fmr=1e-2");
  EXPECT_EQ(entry_name("lfw.faces.h5=lfw/pairs.txt by gender,race at fmr=1e-2"), "lfw=pairs by gender,race");
  EXPECT_EQ(parse_validation_entry("a.bin by gender").at, "fmr=1e-3");
  const auto cross = parse_validation_entry("lfw.bin against runs/old model");
  EXPECT_EQ(cross.set, "lfw.bin");
  EXPECT_EQ(cross.against, "runs/old model");
  EXPECT_EQ(entry_name("lfw.bin against runs/old"), "lfw against old");
}

TEST(ValidationEntries, WhatCannotBeUnderstoodIsRefused) {
  for (const char* bad :
       {"lfw.bin at fmr=1e-3", "lfw.bin by gender against runs/old", "lfw.bin against ", " by gender"}) {
    const Error e = error_of([&] { parse_validation_entry(bad); });
    EXPECT_EQ(e.kind(), ErrorKind::kUsage) << bad;
    EXPECT_EQ(e.parts().where, std::string("validate: ") + bad);
  }
}

TEST(BestFigure, IsTheOneThatIsNamed) {
  const Verdicts v{.sets = {{"lfw", {{"accuracy", .8}, {"eer", .2}}}, {"dev by sex", {{"fmr/sex=f", .03}}}}};
  EXPECT_EQ(chosen_figure(v, ""), .8);
  EXPECT_EQ(chosen_figure(v, "lfw/eer"), .2);
  EXPECT_EQ(chosen_figure(v, "dev by sex/fmr/sex=f"), .03);
  EXPECT_FALSE(chosen_figure(v, "lfw/auc"));
  EXPECT_FALSE(chosen_figure({}, ""));
  EXPECT_TRUE(is_better("", .1, {}));
  EXPECT_TRUE(is_better("", .9, .8));
  EXPECT_FALSE(is_better("lfw/auc", .8, .8));
  for (const char* error : {"lfw/eer", "lfw/fmr/sex=f", "lfw/fnmr/sex=f", "lfw/worst_fnmr"}) {
    EXPECT_TRUE(is_better(error, .1, .2)) << error;
    EXPECT_FALSE(is_better(error, .3, .2)) << error;
  }
}

class BestRuns : public test::ToyRuns {};

TEST_F(BestRuns, AnErrorRateChoosesItsSmallest) {
  int n = 0;
  const double rates[] = {.5, .1, .3};
  const JudgeMaker judges = [&](const std::string&) {
    return [&](engine::Engine& network) {
      if (network.name() == "noise") return Metrics{{"accuracy", .5}, {"eer", .5}};
      ++n;
      return Metrics{{"accuracy", .1 * n}, {"eer", rates[n - 1]}};
    };
  };
  const std::vector<std::string> settings = {"validate=[lfw.bin]", "validate_every=2", "best=lfw/eer"};
  const TrainOutcome end = run_training(request("run", 6, settings), judges);
  EXPECT_EQ(end.best, .1);
  EXPECT_EQ(end.best_step, 4);
  EXPECT_EQ(read_text_file(dir_ / "run/best/step"), "4\n");

  const Error e = error_of([&] { run_training(request("b", 6, {"validate=[lfw.bin]", "best=lfw/auc"}), judges); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_EQ(e.parts().expected, "one of lfw/accuracy, lfw/eer");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "b"));
  EXPECT_EQ(error_of([&] { run_training(request("c", 6, {"best=lfw/eer"}), judges); }).kind(), ErrorKind::kUsage);
}

}  // namespace
}  // namespace likeness::train
