// What is listed as mislabelled, on points in the plane that can be followed by hand.
#include "train/head/sub_centers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace likeness::train {
namespace {

void add_at(SubCenters& centres, std::int64_t picture, std::int64_t label, double degrees, float length = 1) {
  const double a = degrees * std::numbers::pi / 180;
  const float embedding[] = {length * static_cast<float>(std::cos(a)), length * static_cast<float>(std::sin(a))};
  centres.add(picture, label, embedding);
}

// Identity 0 has centres at 0 and 90 degrees, identity 1 at 180 and 45, identity 2 no pictures.
SubCenters example() { return {{2, 0, 0, 3, -1, 0, 1, 1, 1, 0, 0, 1}, 3, 2, 2}; }

TEST(SubCentres, TheCentreOfTheMostIsDominantAndWhatIsFarFromItSuspect) {
  SubCenters centres = example();
  add_at(centres, 10, 0, 80);
  add_at(centres, 11, 0, 95, 7);  // length does not count
  add_at(centres, 12, 0, 10);     // nearest to the other centre, 80 degrees from the dominant one
  add_at(centres, 13, 0, 60);
  add_at(centres, 14, 1, 170);
  const NoiseReport r = centres.report(75);
  EXPECT_EQ(r.pictures, 5);
  EXPECT_EQ(r.identities, 2);
  EXPECT_EQ(r.emptied, 0);
  EXPECT_EQ(r.dominant, (std::vector<int>{1, 0, 0}));
  ASSERT_EQ(r.suspects.size(), 1u);
  EXPECT_EQ(r.suspects[0].picture, 12);
  EXPECT_EQ(r.suspects[0].label, 0);
  EXPECT_EQ(r.suspects[0].nearest, 0);
  EXPECT_EQ(r.suspects[0].dominant, 1);
  EXPECT_NEAR(r.suspects[0].cosine, std::cos(80 * std::numbers::pi / 180), 1e-6);
  EXPECT_EQ(centres.dominant_rows(r), (std::vector<float>{0, 3, -1, 0, 1, 0}));
}

TEST(SubCentres, OfEqualsTheFirstIsDominantAndAnIdentityCanBeLeftEmpty) {
  SubCenters centres = example();
  add_at(centres, 0, 0, 0);
  add_at(centres, 1, 0, 90);
  add_at(centres, 2, 1, 90);  // 45 degrees from its nearest centre
  const NoiseReport r = centres.report(75);
  EXPECT_EQ(r.dominant[0], 0);
  ASSERT_EQ(r.suspects.size(), 1u);
  EXPECT_EQ(r.suspects[0].picture, 1);
  EXPECT_EQ(centres.report(40).emptied, 1);
  EXPECT_EQ(centres.report(180).suspects.size(), 0u);
}

}  // namespace
}  // namespace likeness::train
