// What a loss does to the cosines of the classes a sample does not belong to, and how logits become a loss, as
// per-element functions shared by the CPU's vector loops and the CUDA kernels. A logit is s v + bias, with v
//
//   plain        v = c
//   filter       v = 0 where c > t: such a class is probably the same person under another label
//                (arcface_torch's interclass_filtering_threshold; the exponential of 0 still counts, as there)
//   curriculum   v = c (t + c) where c > bar, the sample's own cosine after the margin
//                (Huang et al., "CurricularFace", CVPR 2020, eq. 5)
//   power        v = 2 ((1 + c) / 2)^p - 1: small cosines lie closer together, large ones further apart
//                (Wen et al., "SphereFace2", ICLR 2022, eq. 6)
#pragma once

#include "core/host_device.h"

namespace likeness::train {

enum class OthersKind : int { kPlain = 0, kFilter = 1, kCurriculum = 2, kPower = 3 };

enum class Reduction : int {
  kSoftmax = 0,  // cross-entropy of all logits together: a running maximum and sum of exponentials per sample
  kBinary = 1,   // every class asks by itself whether the sample is its own: a sum of softplus(logit) per sample
};

template <class T>
struct Others {
  OthersKind kind = OthersKind::kPlain;
  T scale = 1;            // s
  T limit = 1;            // cosines are cut off to [-limit, limit]; outside, the gradient is 0
  T threshold = 0;        // t of filter and curriculum
  int power = 1;          // p of power
  bool detached = false;  // of power: the derivative by c counts as 1, whatever p
  Reduction reduction = Reduction::kSoftmax;
  T bias = 0;  // kBinary
};

template <class T>
Others<T> others_in(const Others<double>& o) {
  return {o.kind, T(o.scale), T(o.limit), T(o.threshold), o.power, o.detached, o.reduction, T(o.bias)};
}

// h^(power - 1), h = (1 + c) / 2.
template <class V, class T>
LIKENESS_INLINE_HD V power_before_last(V h, const Others<T>& o) {
  V p = V{} + T(1);
  for (int k = 1; k < o.power; ++k) p = p * h;
  return p;
}

// `V` is a number or a vector of numbers, `M` what its comparisons give; choose(mask, yes, no) picks per element. The
// sample's bar is used by curriculum only.
template <class V, class T, class Choose>
LIKENESS_INLINE_HD V other_value(V c, V bar, const Others<T>& o, Choose choose) {
  const V limit = V{} + o.limit, zero = V{};
  c = choose(c > limit, limit, c);
  c = choose(c < -limit, -limit, c);
  if (o.kind == OthersKind::kFilter) return choose(c > zero + o.threshold, zero, c);
  if (o.kind == OthersKind::kCurriculum) return choose(c > bar, c * (c + o.threshold), c);
  if (o.kind == OthersKind::kPower) {
    const V h = c * T(.5) + T(.5);
    return h * power_before_last(h, o) * T(2) - T(1);
  }
  return c;
}

// d value / d c.
template <class V, class T, class Choose>
LIKENESS_INLINE_HD V other_slope(V c, V bar, const Others<T>& o, Choose choose) {
  const V limit = V{} + o.limit, zero = V{}, one = zero + T(1);
  V slope = one;
  if (o.kind == OthersKind::kFilter) slope = choose(c > zero + o.threshold, zero, one);
  if (o.kind == OthersKind::kCurriculum) slope = choose(c > bar, c * T(2) + o.threshold, one);
  if (o.kind == OthersKind::kPower && !o.detached) slope = power_before_last(c * T(.5) + T(.5), o) * T(o.power);
  slope = choose(c > limit, zero, slope);
  return choose(c < -limit, zero, slope);
}

}  // namespace likeness::train
