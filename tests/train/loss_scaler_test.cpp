#include "train/optim/loss_scaler.h"

#include <gtest/gtest.h>

namespace likeness::train {
namespace {

TEST(LossScaler, HalvesAtAnOverflowAndDoublesAfterAnIntervalOfGoodSteps) {
  LossScaler s({.start = 8, .interval = 3, .lowest = 2, .highest = 16});
  EXPECT_TRUE(s.update(true) && s.update(true));
  EXPECT_EQ(s.scale(), 8);
  EXPECT_TRUE(s.update(true));
  EXPECT_EQ(s.scale(), 16);
  for (int i = 0; i < 3; ++i) s.update(true);
  EXPECT_EQ(s.scale(), 16);  // the highest
  EXPECT_TRUE(s.update(true) && s.update(true) && s.update(false));
  EXPECT_EQ(s.scale(), 8);
  EXPECT_TRUE(s.update(true) && s.update(true));
  EXPECT_EQ(s.scale(), 8);  // an overflow begins the count again
  EXPECT_TRUE(s.update(true));
  EXPECT_EQ(s.scale(), 16);
  EXPECT_TRUE(s.update(false) && s.update(false) && s.update(false));
  EXPECT_EQ(s.scale(), 2);
  EXPECT_FALSE(s.update(false));  // no scale helps
  EXPECT_EQ(s.scale(), 2);
}

TEST(LossScaler, GoesOnWhereItsStateWasTaken) {
  const LossScalerOptions o{.start = 8, .interval = 5};
  LossScaler whole(o), first(o), second(o);
  const auto finite = [](int step) { return step % 7 != 3; };
  for (int i = 0; i < 40; ++i) whole.update(finite(i));
  for (int i = 0; i < 12; ++i) first.update(finite(i));
  second.restore(first.state());
  for (int i = 12; i < 40; ++i) second.update(finite(i));
  EXPECT_EQ(second.scale(), whole.scale());
  EXPECT_EQ(second.state().good, whole.state().good);
}

}  // namespace
}  // namespace likeness::train
