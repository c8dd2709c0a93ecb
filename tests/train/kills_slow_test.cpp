// The same as kills_test.cpp, ten times as often.
#include "tests/train/kills.h"

namespace likeness::train {

TEST_F(Kills, AtThreeHundredMomentsTheResultIsThatOfARunThatNobodyKilled) { kill(300); }

}  // namespace likeness::train
