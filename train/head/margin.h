// The margin put on a sample's own class, as pure per-element functions shared by the CPU and the CUDA epilogue.
//
//   CosFace    cos(theta) - m3                    Wang et al., "CosFace", CVPR 2018
//   ArcFace    cos(theta + m2)                    Deng et al., "ArcFace", CVPR 2019
//   combined   cos(m1 theta + m2) - m3            ibid., eq. 4; m1, m2 and m3 all count
#pragma once

#include <cmath>

#include "core/host_device.h"

namespace likeness::train {

// What happens to an angle that the margin pushes past pi, where the cosine would rise again.
enum class PastPi : int {
  kContinue = 0,  // cos(theta + m2) as it comes, not monotone: arcface_torch since 2022-12
  kLinear = 1,    // cos(theta) - m2 sin(m2): the field's rule before that; m1 = 1 only
  kMirror = 2,    // (-1)^k cos(phi) - 2k, k = floor(phi / pi): smooth and monotone for every m1 (SphereFace's psi)
  kEasy = 3,      // no margin wherever the cosine is not positive: the field's easy_margin; m1 = 1 only
};

// Plain numbers, so that a kernel takes it by value.
struct Margin {
  double m1 = 1;  // factor on the angle
  double m2 = 0;  // radians added to the angle
  double m3 = 0;  // subtracted from the cosine
  PastPi past_pi = PastPi::kLinear;
};

// The target's value after the margin, before the scale, and d value / d cosine.
template <typename T>
struct MarginPoint {
  T value, slope;
};

// The smallest sine that 1 - c^2 can give in T unless it is 0: dividing by no less keeps every slope finite, and the
// product with the tangent component of the gradient, which is 0 there, goes to its limit 0.
template <typename T>
LIKENESS_HD inline T smallest_sine() {
  return sizeof(T) == 8 ? T(1e-8) : T(1e-4);
}

// cosine in [-1, 1].
template <typename T>
LIKENESS_HD inline MarginPoint<T> apply_margin(T cosine, const Margin& m) {
  using std::acos, std::cos, std::floor, std::sin, std::sqrt;  // the overloads for T
  const T m1 = T(m.m1), m2 = T(m.m2), m3 = T(m.m3);
  MarginPoint<T> p{cosine - m3, T(1)};
  if (m.m1 != 1 || m.m2 != 0) {
    const T rest = (T(1) - cosine) * (T(1) + cosine);
    const T sine = rest > T(0) ? sqrt(rest) : T(0);
    const T safe_sine = sine > smallest_sine<T>() ? sine : smallest_sine<T>();
    const T pi = T(3.14159265358979323846);
    if (m.m1 == 1) {
      const T cos_m = cos(m2), sin_m = sin(m2);
      const bool past = cosine < -cos_m;  // theta + m2 > pi
      if (m.past_pi == PastPi::kEasy && !(cosine > T(0))) {
        p = {cosine - m3, T(1)};
      } else if (past && m.past_pi == PastPi::kLinear) {
        p = {cosine - m2 * sin_m - m3, T(1)};
      } else {
        p = {cosine * cos_m - sine * sin_m - m3, cos_m + cosine * sin_m / safe_sine};
        if (past && m.past_pi == PastPi::kMirror) p = {-(p.value + m3) - T(2) - m3, -p.slope};
      }
    } else {
      const T phi = m1 * acos(cosine) + m2;
      const T k = m.past_pi == PastPi::kMirror ? floor(phi / pi) : T(0);
      const T sign = k - T(2) * floor(k / T(2)) == T(0) ? T(1) : T(-1);
      p = {sign * cos(phi) - T(2) * k - m3, sign * m1 * sin(phi) / safe_sine};
    }
  }
  return p;
}

}  // namespace likeness::train
