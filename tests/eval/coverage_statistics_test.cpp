// Coverage of nominal 95 % intervals where people differ: 50, 200 and 1,000 people, FMR 1e-2 to 1e-4. What the support
// rule calls ok must be covered 93 to 97 % of the time, give or take two standard errors of the simulation itself.
#include <gtest/gtest.h>

#include "tests/eval/coverage.h"

namespace likeness::eval {
namespace {

void check(const test::World& world, int sets, std::int64_t replicates) {
  const auto table = test::measure_coverage(world, {1e-2, 1e-3, 1e-4}, sets, replicates);
  test::print(world, table);
  for (const auto& [name, c] : table) {
    if (2 * c.ok < c.sets) continue;  // a cell that is mostly provisional or suppressed promises nothing
    EXPECT_GE(c.share(), .93 - 2 * c.deviation()) << name << " of " << world.subjects << " people";
    EXPECT_LE(c.share(), .97 + 2 * c.deviation()) << name << " of " << world.subjects << " people";
  }
}

TEST(Coverage, FiftyPeople) { check({.subjects = 50, .genuine = 10}, 1000, 300); }
TEST(Coverage, TwoHundredPeople) { check({.subjects = 200, .genuine = 5}, 1000, 300); }
TEST(Coverage, AThousandPeople) { check({.subjects = 1000, .genuine = 3}, 200, 150); }

}  // namespace
}  // namespace likeness::eval
