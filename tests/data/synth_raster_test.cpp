#include "data/synth_raster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"

namespace likeness::data {
namespace {

TEST(SynthRaster, CoverageIsTheExactArea) {
  Rng rng(1, Purpose::kTest);
  for (int n = 0; n < 50; ++n) {
    synth::Canvas canvas(40, 30);
    const synth::Vec2 at{float(rng.uniform(10, 28)), float(rng.uniform(9, 20))};
    const float a = float(rng.uniform(0.4, 8)), b = float(rng.uniform(0.4, 8)), turn = float(rng.uniform(0, 3));
    const auto path =
        synth::ellipse(at, {a * std::cos(turn), a * std::sin(turn)}, {-b * std::sin(turn), b * std::cos(turn)});
    double area = 0;
    const auto p = path.points();
    for (std::size_t k = 0; k < p.size(); ++k) {
      const auto q = p[(k + 1) % p.size()];
      area += 0.5 * (double(p[k].x) * q.y - double(q.x) * p[k].y);
    }
    canvas.fill(path, {{1, 0.5f, 0}});
    double red = 0, green = 0, blue = 0, lit = 0;
    for (int k = 0; k < 40 * 30; ++k) {
      red += canvas.plane(0)[k];
      green += canvas.plane(1)[k];
      blue += canvas.plane(2)[k];
      lit += canvas.plane(3)[k];
    }
    EXPECT_NEAR(red, area, 2e-3 * (1 + area));
    EXPECT_NEAR(green, area / 2, 1e-3 * (1 + area));
    EXPECT_EQ(blue, 0);
    EXPECT_NEAR(lit, area, 2e-3 * (1 + area));
  }
}

TEST(SynthRaster, AHalfPixelIsHalfCovered) {
  synth::Canvas canvas(4, 4);
  const synth::Vec2 box[4] = {{0.5f, 0}, {2, 0}, {2, 2}, {0.5f, 2}};  // pixel (1, 1) whole, (2, 1) half, (1, 0) half
  canvas.fill(box, {{1, 1, 1}});
  EXPECT_NEAR(canvas.plane(0)[1 * 4 + 1], 1, 1e-6);
  EXPECT_NEAR(canvas.plane(0)[1 * 4 + 2], 0.5, 1e-6);
  EXPECT_NEAR(canvas.plane(0)[0 * 4 + 1], 0.5, 1e-6);
  EXPECT_NEAR(canvas.plane(0)[0 * 4 + 2], 0.25, 1e-6);
  EXPECT_EQ(canvas.plane(0)[1 * 4 + 0], 0);
}

TEST(SynthRaster, WhatLiesOutsideIsCutOffAndForgotten) {
  synth::Canvas used(16, 16), fresh(16, 16);
  for (const synth::Vec2 at : {synth::Vec2{-40, 8}, {60, 8}, {8, -40}, {8, 60}})
    used.fill(synth::ellipse(at, {9, 0}, {0, 9}), {{1, 1, 1}});
  for (int k = 0; k < 3 * 256; ++k) ASSERT_EQ(used.plane(0)[k], 0);
  const synth::Vec2 huge[4] = {{-100, -100}, {100, -100}, {100, 100}, {-100, 100}};
  used.fill(huge, {{0.25f, 0.5f, 0.75f}});
  for (int k = 0; k < 256; ++k) ASSERT_NEAR(used.plane(1)[k], 0.5, 1e-6);
  used.fill(synth::ellipse({0, 15}, {7, 0}, {0, 5}), {{1, 1, 1}});
  fresh.fill(huge, {{0.25f, 0.5f, 0.75f}});
  fresh.fill(synth::ellipse({0, 15}, {7, 0}, {0, 5}), {{1, 1, 1}});
  for (int k = 0; k < 4 * 256; ++k) ASSERT_EQ(used.plane(0)[k], fresh.plane(0)[k]) << "left over from an earlier fill";
}

TEST(SynthRaster, ARingHasAHole) {
  synth::Canvas canvas(41, 41);
  canvas.fill(synth::ring(synth::ellipse({20, 20}, {12, 0}, {0, 12}).points(), 4), {{1, 1, 1}});
  EXPECT_EQ(canvas.plane(0)[20 * 41 + 20], 0);
  EXPECT_NEAR(canvas.plane(0)[20 * 41 + 32], 1, 1e-3);
  EXPECT_EQ(canvas.plane(0)[20 * 41 + 38], 0);
}

TEST(SynthRaster, BlurHasTheVarianceItSays) {
  for (float sigma : {0.8f, 1.7f, 3.f}) {
    synth::Canvas canvas(61, 61);
    canvas.plane(0)[30 * 61 + 30] = 1;
    std::fill_n(canvas.plane(1), 61 * 61, 0.4f);
    canvas.blur(sigma);
    double sum = 0, xx = 0, yy = 0;
    for (int y = 0; y < 61; ++y)
      for (int x = 0; x < 61; ++x) {
        const double v = canvas.plane(0)[y * 61 + x];
        sum += v;
        xx += v * (x - 30) * (x - 30);
        yy += v * (y - 30) * (y - 30);
        ASSERT_NEAR(canvas.plane(1)[y * 61 + x], 0.4, 1e-5);
      }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_NEAR(xx, sigma * sigma, 0.04 * sigma * sigma);
    EXPECT_NEAR(yy, sigma * sigma, 0.04 * sigma * sigma);
  }
}

}  // namespace
}  // namespace likeness::data
