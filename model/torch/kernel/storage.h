// How feature maps are stored and computed with, for CPU kernels and device code alike.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/host_device.h"

namespace likeness::model::kernel {

// The upper half of an f32. A type of its own so that kernels need no framework's header.
struct BF16 {
  std::uint16_t bits;
};

// What a stored value is computed in.
template <class T>
struct Compute {
  using Type = T;
};
template <>
struct Compute<BF16> {
  using Type = float;
};
template <class T>
using ComputeT = typename Compute<T>::Type;

LIKENESS_INLINE_HD float load(float v) { return v; }
LIKENESS_INLINE_HD double load(double v) { return v; }
LIKENESS_INLINE_HD float load(BF16 v) {
  const std::uint32_t wide = static_cast<std::uint32_t>(v.bits) << 16;
  float out;
  memcpy(&out, &wide, sizeof out);
  return out;
}

LIKENESS_INLINE_HD void store(float v, float& out) { out = v; }
LIKENESS_INLINE_HD void store(double v, double& out) { out = v; }
// Round to nearest even; not-a-number stays so.
LIKENESS_INLINE_HD void store(float v, BF16& out) {
  std::uint32_t wide;
  memcpy(&wide, &v, sizeof wide);
  const std::uint32_t rounded = (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16;
  out.bits = static_cast<std::uint16_t>((wide & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

}  // namespace likeness::model::kernel
