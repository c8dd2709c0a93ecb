// Draws of the kinds that persons and shots need.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/rng.h"
#include "data/synth_raster.h"

namespace likeness::data::synth {

struct Draw {
  Rng rng;

  float between(double low, double high) { return static_cast<float>(rng.uniform(low, high)); }
  // A normal draw cut at two standard deviations.
  float around(double mean, double deviation) {
    return static_cast<float>(mean + deviation * std::clamp(rng.normal(), -2.0, 2.0));
  }
  bool chance(double probability) { return rng.chance(probability); }
  // 0, 1, … in proportion to the weights.
  int pick(std::initializer_list<double> weights) {
    double sum = 0;
    for (double w : weights) sum += w;
    double x = rng.uniform() * sum;
    int k = 0;
    for (double w : weights) {
      if (x < w) return k;
      x -= w;
      ++k;
    }
    return k - 1;
  }
  Color color() { return {between(0, 1), between(0, 1), between(0, 1)}; }
  Color near(Color c, double spread) {
    const auto one = [&](float v) { return std::clamp(v + between(-spread, spread), 0.f, 1.f); };
    return {one(c.r), one(c.g), one(c.b)};
  }
};

}  // namespace likeness::data::synth
