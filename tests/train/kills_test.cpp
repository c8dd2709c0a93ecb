// kill -9 at random moments, half of them while a checkpoint is written: no bit of the result changes.
#include "tests/train/kills.h"

namespace likeness::train {

TEST_F(Kills, AtThirtyMomentsTheResultIsThatOfARunThatNobodyKilled) { kill(30); }

}  // namespace likeness::train
