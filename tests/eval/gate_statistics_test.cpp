// Error rates of gates over many simulated runs.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/eval/gate_simulation.h"

namespace likeness::eval {
namespace {

TEST(Gate, FalsePassRateAtTheMargin) {
  const int runs = 2000, passed = test::false_passes(runs, 300);
  std::printf("false passes at the margin: %d of %d (%.2f %%)\n", passed, runs, 100. * passed / runs);
  EXPECT_LE(passed, runs * .05 + 2 * std::sqrt(runs * .05 * .95));
}

}  // namespace
}  // namespace likeness::eval
