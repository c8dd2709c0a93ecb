// The three matrix products of a tile of classes on the CPU, in f32, f64, or f32 with operands rounded to bf16:
//
//   cosines            = centres x embeddings         [n,D] x [D,B], before the division by the centres' lengths
//   by the embeddings += cosines' gradient x centres  [B,n] x [n,D]
//   by the centres     = cosines' gradient x embeddings   [n,B] x [B,D], through the normalisation by the caller
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "train/head/kernel/kernels.h"

namespace likeness::train {

template <class T>
void grow(std::vector<T>* memory, std::int64_t size) {
  if (memory->size() < static_cast<std::size_t>(size)) memory->resize(static_cast<std::size_t>(size));
}

// Memory of one thread.
template <class T>
struct ProductScratch {
  std::vector<T> rounded;  // [tile, D] centres, for bf16
  std::vector<T> turned;   // [B, tile] gradient by cosine, times the inverse lengths
  std::vector<T> panels;   // the tile's centres as panels
};

// Shared by all threads once begin() has returned.
template <class T>
class TileProducts {
 public:
  explicit TileProducts(bool bf16) : k_(kernel::head_kernels<T>(kernel::kernels())), bf16_(bf16) {
    LIKENESS_ASSERT(!bf16 || (std::is_same_v<T, float>));
  }
  const kernel::HeadKernels<T>& kernels() const { return k_; }
  std::int64_t padded() const { return padded_; }  // B, a multiple of the kernels' lanes
  std::int64_t wide() const { return wide_; }      // D, likewise

  // unit [B,D]; a tile has at most tile_rows rows.
  void begin(const T* unit, std::int64_t batch, std::int64_t dim, std::int64_t tile_rows) {
    batch_ = batch, dim_ = dim, tile_rows_ = tile_rows;
    padded_ = round_up(batch), wide_ = round_up(dim);
    grow(&across_, wide_ * (batch_ + 1)), grow(&down_, padded_ * (dim_ + 1));
    pack(unit, dim_, batch_, dim_, across_.data());
    std::vector<T> turned(static_cast<std::size_t>(dim_ * batch_));
    for (std::int64_t b = 0; b < batch_; ++b)
      for (std::int64_t d = 0; d < dim_; ++d) turned[static_cast<std::size_t>(d * batch_ + b)] = unit[b * dim_ + d];
    pack(turned.data(), batch_, dim_, batch_, down_.data());
  }
  void begin(ProductScratch<T>* s) const {
    if (bf16_) grow(&s->rounded, tile_rows_ * dim_);
    grow(&s->turned, batch_ * tile_rows_), grow(&s->panels, (tile_rows_ + 1) * wide_);
  }

  // rows [n,D] -> out [n, padded()].
  void cosines(const T* rows, std::int64_t n, T* out, ProductScratch<T>& s) const {
    if (bf16_) {
      round(rows, dim_, n, dim_, s.rounded.data(), dim_);
      rows = s.rounded.data();
    }
    multiply(rows, dim_, n, dim_, down_.data(), padded_ / k_.lanes, out, padded_, false);
  }

  // g [n, padded()] the gradient by the cosines, inverse [n] of the centres' lengths. Adds to unit [B, wide()].
  void by_embeddings(const T* g, const T* inverse, const T* rows, std::int64_t n, T* unit, ProductScratch<T>& s) const {
    k_.turn(g, padded_, n, batch_, inverse, s.turned.data(), tile_rows_);
    if (bf16_) round(s.turned.data(), tile_rows_, batch_, n, s.turned.data(), tile_rows_);
    pack(rows, dim_, n, dim_, s.panels.data());
    multiply(s.turned.data(), tile_rows_, batch_, n, s.panels.data(), wide_ / k_.lanes, unit, wide_, true);
  }

  // g [n, padded()] -> out [n, wide()]. With bf16 g is rounded in place.
  void by_centres(T* g, std::int64_t n, T* out) const {
    if (bf16_) round(g, padded_, n, batch_, g, padded_);
    multiply(g, padded_, n, batch_, across_.data(), wide_ / k_.lanes, out, wide_, false);
  }

 private:
  std::int64_t round_up(std::int64_t n) const { return (n + k_.lanes - 1) / k_.lanes * k_.lanes; }

  void round(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t width, T* to,
             std::int64_t to_stride) const {
    if constexpr (std::is_same_v<T, float>) bf16_kernels_.round(rows, stride, n, width, to, to_stride);
  }
  void pack(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t width, T* panels) const {
    if constexpr (std::is_same_v<T, float>)
      if (bf16_) return bf16_kernels_.pack(rows, stride, n, width, panels);
    k_.pack(rows, stride, n, width, panels);
  }
  void multiply(const T* rows, std::int64_t stride, std::int64_t n, std::int64_t depth, const T* panels,
                std::int64_t panel_count, T* out, std::int64_t out_stride, bool add) const {
    if constexpr (std::is_same_v<T, float>)
      if (bf16_) return bf16_kernels_.products(rows, stride, n, depth, panels, panel_count, out, out_stride, add);
    k_.products(rows, stride, n, depth, panels, panel_count, out, out_stride, add);
  }

  const kernel::HeadKernels<T>& k_;
  const kernel::Bf16Kernels& bf16_kernels_ = kernel::bf16_kernels();
  bool bf16_;
  std::int64_t batch_ = 0, dim_ = 0, padded_ = 0, wide_ = 0, tile_rows_ = 0;
  std::vector<T> across_, down_;  // the embeddings as panels: [B] rows of D, and [D] rows of B
};

}  // namespace likeness::train
