#include "core/geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

Landmarks row_of(const test::Array& array, std::size_t row) {
  const std::vector<double> v = array.as_double();
  Landmarks points;
  for (std::size_t i = 0; i < 5; ++i) points[i] = {v.at(row * 10 + 2 * i), v.at(row * 10 + 2 * i + 1)};
  return points;
}

void expect_matrix(const Similarity& s, const double* m, double tolerance) {
  EXPECT_NEAR(s.a, m[0], tolerance);
  EXPECT_NEAR(-s.b, m[1], tolerance);
  EXPECT_NEAR(s.tx, m[2], tolerance);
  EXPECT_NEAR(s.b, m[3], tolerance);
  EXPECT_NEAR(s.a, m[4], tolerance);
  EXPECT_NEAR(s.ty, m[5], tolerance);
}

// insightface's template for sizes that are multiples of 128: the 112 one, moved by 8 pixels.
FaceGeometry insightface_128(int size) {
  Landmarks points = *FaceGeometry::arcface(112).points;
  for (Point& p : points) p = {(p.x + 8) * size / 128, p.y * size / 128};
  return FaceGeometry::custom(size, size, points);
}

TEST(EstimateSimilarity, EqualsTheFieldsReference) {
  const test::Npz npz(test::golden("align_points.npz"));
  struct Case {
    const char* name;
    FaceGeometry to;
    double tolerance;
  };
  // The reference computes with the template rounded to float.
  const FaceGeometry rounded = FaceGeometry::custom(112, 112, row_of(npz.at("template112"), 0));
  const Case cases[] = {{"M112_exact", rounded, 1e-9},
                        {"M112", FaceGeometry::arcface(112), 2e-4},
                        {"M224", FaceGeometry::arcface(224), 2e-4},
                        {"M128", insightface_128(128), 2e-4},
                        {"M256", insightface_128(256), 2e-4}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::vector<double> m = npz.at(c.name).as_double();
    std::size_t compared = 0;
    for (std::size_t i = 0; i < m.size() / 6; ++i) {
      if (!std::isfinite(m[6 * i])) continue;
      SCOPED_TRACE(i);
      const auto s = estimate_similarity(row_of(npz.at("landmarks"), i), *c.to.points);
      ASSERT_TRUE(s);
      expect_matrix(*s, &m[6 * i], c.tolerance);
      ++compared;
    }
    EXPECT_GE(compared, 22u);
  }
  const auto celeba = estimate_similarity(row_of(npz.at("celeba64_points"), 0), *FaceGeometry::arcface().points);
  expect_matrix(*celeba, npz.at("celeba64_to_112").as_double().data(), 2e-4);
}

TEST(EstimateSimilarity, DegeneratePointsGiveNothing) {
  const test::Npz npz(test::golden("align_points.npz"));
  const Landmarks to = *FaceGeometry::arcface().points;
  EXPECT_FALSE(estimate_similarity(row_of(npz.at("landmarks"), 23), to));  // all equal
  Landmarks bad = to;
  bad[2].y = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(estimate_similarity(bad, to));
  bad[2].y = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(estimate_similarity(bad, to));
  EXPECT_FALSE(estimate_similarity(to, Landmarks{}));
  EXPECT_FALSE(estimate_similarity(Landmarks{}, to));
}

TEST(Similarity, InverseUndoesIt) {
  const Similarity s{0.3, -0.7, 12.5, -4};
  const Point p = s.inverse().apply(s.apply({33.25, 91.5}));
  EXPECT_NEAR(p.x, 33.25, 1e-12);
  EXPECT_NEAR(p.y, 91.5, 1e-12);
}

TEST(FaceGeometry, ArcfaceIsTheTemplateScaled) {
  const test::Npz npz(test::golden("align_points.npz"));
  const std::vector<double> t = npz.at("template112").as_double();
  for (const int size : {112, 64, 224}) {
    const FaceGeometry g = FaceGeometry::arcface(size);
    EXPECT_EQ(g.width, size);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR((*g.points)[i].x, t[2 * i] * size / 112, 1e-5);
      EXPECT_NEAR((*g.points)[i].y, t[2 * i + 1] * size / 112, 1e-5);
    }
  }
}

TEST(FaceGeometry, ComparesSizesAndPointsNotNames) {
  const FaceGeometry g = FaceGeometry::arcface(112);
  Landmarks moved = *g.points;
  moved[4].x += 0.009;
  EXPECT_TRUE(g.same_as(FaceGeometry::custom(112, 112, moved)));
  moved[4].x += 0.01;
  EXPECT_FALSE(g.same_as(FaceGeometry::custom(112, 112, moved)));
  EXPECT_FALSE(g.same_as(FaceGeometry::arcface(128)));
  EXPECT_FALSE(g.same_as(FaceGeometry::unknown(112, 112)));
  EXPECT_TRUE(FaceGeometry::unknown(64, 64).same_as(FaceGeometry::unknown(64, 64)));
  EXPECT_EQ(g.describe(), "arcface 112x112");
  EXPECT_EQ(FaceGeometry::custom(64, 64, {{{20.1, 33.2}}}).describe(), "custom 64x64 (20.1,33.2 …)");
}

TEST(FaceGeometry, JsonComesBackEqual) {
  for (const FaceGeometry& g : {FaceGeometry::arcface(64), FaceGeometry::unknown(96, 112)}) {
    const FaceGeometry back = FaceGeometry::from_json(g.to_json(), "test");
    EXPECT_EQ(back.to_json(), g.to_json());
    EXPECT_TRUE(back.same_as(g));
  }
  for (const char* bad : {"", "[]", "{}", R"({"name":"x","width":0,"height":5,"points":null})",
                          R"({"name":"x","width":5,"height":5,"points":[[1,2]]})",
                          R"({"name":"x","width":5,"height":5,"points":[[1,2],[1,2],[1,2],[1,2],[1]]})",
                          R"({"name":"x","width":"5","height":5,"points":null})"}) {
    try {
      FaceGeometry::from_json(bad, "file.h5");
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData);
      EXPECT_EQ(e.parts().where, "file.h5");
    }
  }
}

TEST(ParsePoints, ReadsFivePointsAndNothingElse) {
  const Landmarks points = parse_points("20.1,33.2 43.3,33.2  31.4,47.4 21.9,57.5 -41.5,5e1 ", "--points");
  EXPECT_DOUBLE_EQ(points[0].x, 20.1);
  EXPECT_DOUBLE_EQ(points[4].x, -41.5);
  EXPECT_DOUBLE_EQ(points[4].y, 50);
  for (const char* bad :
       {"", "1,2", "1,2 3,4 5,6 7,8", "1,2 3,4 5,6 7,8 9,10 11,12", "1 2 3 4 5 6 7 8 9 10", "1,2 3,4 5,6 7,8 9,x",
        "1,2 3,4 5,6 7,8 9,nan", "1,2 3,4 5,6 7,8 9,", "1,2 3,4 5,6 7,8 9,1x"}) {
    EXPECT_THROW(parse_points(bad, "--points"), Error) << bad;
  }
}

}  // namespace
}  // namespace likeness
