#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "train/head/kernel/kernels.h"
#include "train/head/tile_products.h"
#include "train/head/tiles.h"

namespace likeness::train {
namespace {

constexpr std::int64_t kTileBytes = 192 << 10;  // a tile's centres: with the embeddings they fill a second-level cache

// Memory of one thread, kept from step to step.
template <class T>
struct Workspace {
  std::vector<T> rows;     // [tile, D] centres of chosen classes, side by side
  std::vector<T> cosines;  // [tile, Bp] where they are not kept
  ProductScratch<T> products;
  std::vector<T> gradient;         // [tile, Dp]
  std::vector<T> unit;             // [B, Dp] this thread's share of the embeddings' gradient
  std::vector<T> top;              // [Bp]
  std::vector<double> sum, slope;  // [Bp]
};

template <class T>
class CpuTiles : public Tiles {
 public:
  explicit CpuTiles(const TileOptions& options) : options_(options), products_(options.bf16), k_(products_.kernels()) {}

  OtherSums forward(const at::Tensor& weight, const TileBatch& batch) override {
    begin(weight, batch);
    each_tile([&](const Tile& tile, Workspace<T>& w) {
      const T* rows = rows_of(tile, w, weight);
      k_.inverse_norms(rows, dim_, tile.rows, dim_, inverse_.data() + tile.row);
      T* cosines = cosines_of(tile, w);
      fill_cosines(tile, rows, cosines, w);
      if (binary())
        k_.binary(cosines, padded_, tile.rows, others_, bar(), w.sum.data(), w.slope.data());
      else
        k_.online(cosines, padded_, tile.rows, others_, bar(), w.top.data(), w.sum.data());
    });
    return binary() ? join_binary(weight) : join(weight);
  }

  at::Tensor backward(at::Tensor& weight, const TileBatch& batch, const at::Tensor& top, const at::Tensor& factor,
                      const at::Tensor& own, RowSink& sink) override {
    LIKENESS_ASSERT(own.is_contiguous() && batch.own.size() == own_.size());
    const double* own_gradient = own.const_data_ptr<double>();
    if (!binary()) copy_padded(top, &top_);
    copy_padded(factor, &factor_);
    const auto gradient = binary() ? k_.binary_gradient : k_.gradient;
    each_tile([&](const Tile& tile, Workspace<T>& w) {
      const T* rows = rows_of(tile, w, weight);
      T* g = cosines_of(tile, w);
      if (!keep_) fill_cosines(tile, rows, g, w);
      gradient(g, padded_, tile.rows, others_, bar(), top_.data(), factor_.data());
      for (std::size_t i = tile.own_begin; i < tile.own_end; ++i) {
        const std::int64_t centre = batch.centre.const_data_ptr<std::int64_t>()[i];
        g[((own_[i].place - tile.place) * centres_ + centre) * padded_ + own_[i].sample] =
            T(own_gradient[own_[i].sample]);
      }
      products_.by_embeddings(g, inverse_.data() + tile.row, rows, tile.rows, w.unit.data(), w.products);
      products_.by_centres(g, tile.rows, w.gradient.data());
      for (std::int64_t r = 0; r < tile.rows; ++r) {
        k_.back_through_norm(w.gradient.data() + r * wide_, rows + r * dim_, inverse_[tile.row + r], dim_);
        finish_row(weight, sink, row_index(tile, r), w.gradient.data() + r * wide_);
      }
    });
    if (sink.rule && sink.untouched_rows_too && classes_) untouched_rows(weight, sink);
    return unit_gradient(weight);
  }

 private:
  struct Tile {
    std::int64_t place, rows, row;  // first class taking part, rows, and the first row among those taking part
    std::size_t own_begin, own_end;
  };

  void begin(const at::Tensor& weight, const TileBatch& batch) {
    LIKENESS_ASSERT(weight.is_contiguous() && weight.size(0) % options_.sub_centers == 0 &&
                    batch.unit.is_contiguous() && batch.unit.size(1) == weight.size(1));
    batch_ = batch.unit.size(0), dim_ = weight.size(1), centres_ = options_.sub_centers;
    all_classes_ = weight.size(0) / centres_;
    classes_ = batch.classes;
    count_ = classes_ ? static_cast<std::int64_t>(classes_->size()) : all_classes_;
    own_ = batch.own;
    others_ = others_in<T>(batch.others);
    const std::int64_t fitting = kTileBytes / (dim_ * static_cast<std::int64_t>(sizeof(T)));
    tile_classes_ =
        std::max<std::int64_t>(1, std::max(fitting - fitting % k_.group, std::int64_t{k_.group}) / centres_);
    tile_rows_ = tile_classes_ * centres_;

    products_.begin(batch.unit.const_data_ptr<T>(), batch_, dim_, tile_rows_);
    padded_ = products_.padded(), wide_ = products_.wide();
    keep_ = count_ * centres_ * padded_ * static_cast<std::int64_t>(sizeof(T)) <= options_.keep_bytes;
    if (keep_) grow(&kept_, count_ * centres_ * padded_);
    grow(&inverse_, count_ * centres_);
    if (batch.others.kind == OthersKind::kCurriculum) copy_padded(batch.bar, &bar_);

    workspaces_.resize(static_cast<std::size_t>(at::get_num_threads()));
    for (Workspace<T>& w : workspaces_) {
      if (classes_) grow(&w.rows, tile_rows_ * dim_);
      if (!keep_) grow(&w.cosines, tile_rows_ * padded_);
      products_.begin(&w.products);
      grow(&w.gradient, tile_rows_ * wide_);
      w.unit.assign(static_cast<std::size_t>(batch_ * wide_), T(0));
      w.top.assign(static_cast<std::size_t>(padded_), -std::numeric_limits<T>::infinity());
      w.sum.assign(static_cast<std::size_t>(padded_), 0.0);
      w.slope.assign(static_cast<std::size_t>(padded_), 0.0);
    }
  }

  void copy_padded(const at::Tensor& from, std::vector<T>* to) const {
    const at::Tensor values = from.to(at::kDouble).contiguous();
    const double* v = values.const_data_ptr<double>();
    to->assign(static_cast<std::size_t>(padded_), T(0));
    std::copy(v, v + batch_, to->begin());
  }
  bool binary() const { return others_.reduction == Reduction::kBinary; }
  const T* bar() const { return others_.kind == OthersKind::kCurriculum ? bar_.data() : nullptr; }

  // f(tile, workspace) for every tile; a thread takes a contiguous share, the same for every pass.
  template <class F>
  void each_tile(F&& f) {
    const std::int64_t tiles = (count_ + tile_classes_ - 1) / tile_classes_;
    const auto threads = static_cast<std::int64_t>(workspaces_.size());
    at::parallel_for(0, threads, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t t = first; t < last; ++t) {
        for (std::int64_t i = t * tiles / threads; i < (t + 1) * tiles / threads; ++i) {
          const std::int64_t place = i * tile_classes_, classes = std::min(tile_classes_, count_ - place);
          const auto at = [&](std::int64_t p) {
            return static_cast<std::size_t>(
                std::partition_point(own_.begin(), own_.end(), [p](const OwnClass& o) { return o.place < p; }) -
                own_.begin());
          };
          f(Tile{place, classes * centres_, place * centres_, at(place), at(place + classes)},
            workspaces_[static_cast<std::size_t>(t)]);
        }
      }
    });
  }

  std::int64_t row_index(const Tile& tile, std::int64_t r) const {
    if (!classes_) return tile.row + r;
    return (*classes_)[static_cast<std::size_t>(tile.place + r / centres_)] * centres_ + r % centres_;
  }

  const T* rows_of(const Tile& tile, Workspace<T>& w, const at::Tensor& weight) const {
    const T* all = weight.const_data_ptr<T>();
    if (!classes_) return all + tile.row * dim_;
    for (std::int64_t r = 0; r < tile.rows; ++r)
      std::copy_n(all + row_index(tile, r) * dim_, dim_, w.rows.data() + r * dim_);
    return w.rows.data();
  }

  T* cosines_of(const Tile& tile, Workspace<T>& w) {
    return keep_ ? kept_.data() + tile.row * padded_ : w.cosines.data();
  }

  void fill_cosines(const Tile& tile, const T* rows, T* cosines, Workspace<T>& w) const {
    products_.cosines(rows, tile.rows, cosines, w.products);
    k_.scale_rows(cosines, padded_, tile.rows, inverse_.data() + tile.row);
    if (centres_ > 1) keep_nearest(tile.rows, cosines);
    for (std::size_t i = tile.own_begin; i < tile.own_end; ++i)
      for (std::int64_t c = 0; c < centres_; ++c)
        cosines[((own_[i].place - tile.place) * centres_ + c) * padded_ + own_[i].sample] = T(kernel::kAbsent);
  }

  // Of a class's centres only the nearest counts for a sample; the first of equals.
  void keep_nearest(std::int64_t rows, T* cosines) const {
    for (std::int64_t r = 0; r < rows; r += centres_) {
      for (std::int64_t b = 0; b < padded_; ++b) {
        std::int64_t best = 0;
        for (std::int64_t c = 1; c < centres_; ++c)
          if (cosines[(r + c) * padded_ + b] > cosines[(r + best) * padded_ + b]) best = c;
        for (std::int64_t c = 0; c < centres_; ++c)
          if (c != best) cosines[(r + c) * padded_ + b] = T(kernel::kAbsent);
      }
    }
  }

  void finish_row(at::Tensor& weight, RowSink& sink, std::int64_t row, const T* gradient) const {
    if (sink.gradient.defined()) {
      T* to = sink.gradient.mutable_data_ptr<T>() + row * dim_;
      for (std::int64_t d = 0; d < dim_; ++d) to[d] += gradient[d];
    }
    if (sink.rule) step_row(weight, sink, row, gradient);
  }

  void step_row(at::Tensor& weight, RowSink& sink, std::int64_t row, const T* gradient) const {
    const RowRule& o = *sink.rule;
    T* w = weight.mutable_data_ptr<T>() + row * dim_;
    T* first = sink.state[0].mutable_data_ptr<T>() + row * dim_;
    if (o.kind == RowRuleKind::kSgd)
      k_.sgd(w, first, gradient, dim_, o);
    else
      k_.adam(w, first, sink.state[1].mutable_data_ptr<T>() + row * dim_, gradient, dim_, o);
  }

  void untouched_rows(at::Tensor& weight, RowSink& sink) const {
    at::parallel_for(0, all_classes_, 256, [&](std::int64_t begin, std::int64_t end) {
      auto next = std::lower_bound(classes_->begin(), classes_->end(), begin);
      for (std::int64_t c = begin; c < end; ++c) {
        if (next != classes_->end() && *next == c) {
          ++next;
          continue;
        }
        for (std::int64_t k = 0; k < centres_; ++k) step_row(weight, sink, c * centres_ + k, nullptr);
      }
    });
  }

  // The threads' running numbers put together.
  OtherSums join(const at::Tensor& weight) const {
    OtherSums all{.top = at::empty({batch_}, weight.options()),
                  .sum = at::empty({batch_}, weight.options().dtype(at::kDouble))};
    T* top = all.top.mutable_data_ptr<T>();
    double* sum = all.sum.mutable_data_ptr<double>();
    for (std::int64_t b = 0; b < batch_; ++b) {
      const auto at = static_cast<std::size_t>(b);
      T highest = -std::numeric_limits<T>::infinity();
      for (const Workspace<T>& w : workspaces_) highest = std::max(highest, w.top[at]);
      top[b] = highest, sum[b] = 0;
      for (const Workspace<T>& w : workspaces_)
        if (w.sum[at] > 0)
          sum[b] += w.sum[at] * std::exp(static_cast<double>(w.top[at]) - static_cast<double>(highest));
    }
    return all;
  }

  OtherSums join_binary(const at::Tensor& weight) const {
    OtherSums all{.sum = at::zeros({batch_}, weight.options().dtype(at::kDouble))};
    all.slope = at::zeros_like(all.sum);
    double *sum = all.sum.mutable_data_ptr<double>(), *slope = all.slope.mutable_data_ptr<double>();
    for (const Workspace<T>& w : workspaces_)
      for (std::int64_t b = 0; b < batch_; ++b)
        sum[b] += w.sum[static_cast<std::size_t>(b)], slope[b] += w.slope[static_cast<std::size_t>(b)];
    return all;
  }

  at::Tensor unit_gradient(const at::Tensor& weight) const {
    at::Tensor total = at::empty({batch_, dim_}, weight.options());
    T* to = total.mutable_data_ptr<T>();
    at::parallel_for(0, batch_, 8, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b)
        for (std::int64_t d = 0; d < dim_; ++d) {
          T sum = 0;
          for (const Workspace<T>& w : workspaces_) sum += w.unit[static_cast<std::size_t>(b * wide_ + d)];
          to[b * dim_ + d] = sum;
        }
    });
    return total;
  }

  TileOptions options_;
  TileProducts<T> products_;
  const kernel::HeadKernels<T>& k_;
  std::int64_t batch_ = 0, padded_ = 0, dim_ = 0, wide_ = 0, centres_ = 1, count_ = 0, all_classes_ = 0;
  std::int64_t tile_classes_ = 0, tile_rows_ = 0;
  bool keep_ = true;
  const std::vector<std::int64_t>* classes_ = nullptr;
  std::vector<OwnClass> own_;
  Others<T> others_;
  std::vector<T> kept_, inverse_, bar_, top_, factor_;
  std::vector<Workspace<T>> workspaces_;
};

}  // namespace

std::unique_ptr<Tiles> cpu_tiles(at::ScalarType type, const TileOptions& options) {
  if (type == at::kFloat) return std::make_unique<CpuTiles<float>>(options);
  LIKENESS_ASSERT(type == at::kDouble);
  return std::make_unique<CpuTiles<double>>(options);
}

}  // namespace likeness::train
