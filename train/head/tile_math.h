// One element of a tile's epilogue, for the plain loops of the CPU's operator and the CUDA kernels.
#pragma once

#include <cmath>

#include "train/head/others.h"

namespace likeness::train {

struct ChooseNumber {
  template <class T>
  LIKENESS_INLINE_HD T operator()(bool mask, T yes, T no) const {
    return mask ? yes : no;
  }
};

// Cosines below -2 stand for classes that are not there.
template <class T>
LIKENESS_INLINE_HD bool absent(T cosine) {
  return cosine < T(-2);
}

template <class T>
LIKENESS_INLINE_HD T tile_logit(T cosine, T bar, const Others<T>& o) {
  return o.scale * other_value(cosine, bar, o, ChooseNumber{}) + o.bias;
}

// log(1 + e^z) and its derivative, for any z.
template <class T>
LIKENESS_INLINE_HD T softplus(T z) {
  using std::exp, std::log1p;
  return z > T(0) ? z + log1p(exp(-z)) : log1p(exp(z));
}
template <class T>
LIKENESS_INLINE_HD T sigmoid(T z) {
  using std::exp;
  const T e = exp(z > T(0) ? -z : z);
  return (z > T(0) ? T(1) : e) / (T(1) + e);
}

// factor times the derivative of the loss by the logit times that of the value by the cosine. `top` is kSoftmax's.
template <class T>
LIKENESS_INLINE_HD T tile_slope(T cosine, T bar, const Others<T>& o, T top, T factor) {
  using std::exp;
  if (absent(cosine)) return T(0);
  const T logit = tile_logit(cosine, bar, o);
  const T by_logit = o.reduction == Reduction::kBinary ? sigmoid(logit) : exp(logit - top);
  return factor * by_logit * other_slope(cosine, bar, o, ChooseNumber{});
}

}  // namespace likeness::train
