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
  return o.scale * other_value(cosine, bar, o, ChooseNumber{});
}

template <class T>
LIKENESS_INLINE_HD T tile_slope(T cosine, T bar, const Others<T>& o, T top, T factor) {
  using std::exp;
  if (absent(cosine)) return T(0);
  return factor * exp(tile_logit(cosine, bar, o) - top) * other_slope(cosine, bar, o, ChooseNumber{});
}

}  // namespace likeness::train
