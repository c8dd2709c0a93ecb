// What a loss does to the cosines of the classes a sample does not belong to, as per-element functions shared by the
// CPU's vector loops and the CUDA kernels.
//
//   plain        logit = s c
//   filter       logit = 0 where c > t: such a class is probably the same person under another label
//                (arcface_torch's interclass_filtering_threshold; the exponential of 0 still counts, as there)
//   curriculum   logit = s c (t + c) where c > bar, the sample's own cosine after the margin
//                (Huang et al., "CurricularFace", CVPR 2020, eq. 5)
#pragma once

#include "core/host_device.h"

namespace likeness::train {

enum class OthersKind : int { kPlain = 0, kFilter = 1, kCurriculum = 2 };

template <class T>
struct Others {
  OthersKind kind = OthersKind::kPlain;
  T scale = 1;      // s
  T limit = 1;      // cosines are cut off to [-limit, limit]; outside, the gradient is 0
  T threshold = 0;  // t of filter and curriculum
};

template <class T>
Others<T> others_in(const Others<double>& o) {
  return {o.kind, T(o.scale), T(o.limit), T(o.threshold)};
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
  return c;
}

// d value / d c.
template <class V, class T, class Choose>
LIKENESS_INLINE_HD V other_slope(V c, V bar, const Others<T>& o, Choose choose) {
  const V limit = V{} + o.limit, zero = V{}, one = zero + T(1);
  V slope = one;
  if (o.kind == OthersKind::kFilter) slope = choose(c > zero + o.threshold, zero, one);
  if (o.kind == OthersKind::kCurriculum) slope = choose(c > bar, c * T(2) + o.threshold, one);
  slope = choose(c > limit, zero, slope);
  return choose(c < -limit, zero, slope);
}

}  // namespace likeness::train
