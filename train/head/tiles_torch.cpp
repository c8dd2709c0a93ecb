// The two passes from torch's products and the tile operators: any device. What a GPU runs; on the CPU it is the
// cross-check of tiles_cpu.cpp.
#include <torch/torch.h>

#include "core/error.h"
#include "train/head/kernel/kernels.h"
#include "train/head/tile_op.h"
#include "train/head/tiles.h"

namespace likeness::train {
namespace {

class TorchTiles : public Tiles {
 public:
  TorchTiles(const TileOptions& options, std::int64_t tile_classes) : options_(options), tile_classes_(tile_classes) {}

  OtherSums forward(const at::Tensor& weight, const TileBatch& batch) override {
    begin(weight, batch);
    const bool binary = batch.others.reduction == Reduction::kBinary;
    OtherSums sums{.sum = at::zeros({batch_}, weight.options().dtype(at::kDouble))};
    if (binary)
      sums.slope = at::zeros_like(sums.sum);
    else
      sums.top = at::full({batch_}, -INFINITY, weight.options());
    for (std::int64_t place = 0; place < count_; place += tile_classes_) {
      const Tile tile = tile_at(weight, batch, place);
      const at::Tensor cosines = cosines_of(tile, batch);
      if (binary)
        tile_binary(cosines, batch.others, bar_, sums.sum, sums.slope);
      else
        tile_online(cosines, batch.others, bar_, sums.top, sums.sum);
      if (keep_) kept_.push_back(cosines);
    }
    return sums;
  }

  at::Tensor backward(at::Tensor& weight, const TileBatch& batch, const at::Tensor& top, const at::Tensor& factor,
                      const at::Tensor& own, RowSink& sink) override {
    if (sink.rule && sink.untouched_rows_too && batch.classes) step_the_rest(weight, sink);
    const at::Tensor tops = top.defined() ? top.to(weight.scalar_type()).contiguous() : top,
                     factors = factor.to(weight.scalar_type()).contiguous();
    const at::Tensor own_gradient = own.to(weight.scalar_type());
    at::Tensor unit = at::zeros({batch_, weight.size(1)}, weight.options());
    for (std::int64_t place = 0; place < count_; place += tile_classes_) {
      const Tile tile = tile_at(weight, batch, place);
      at::Tensor g = keep_ ? kept_[static_cast<std::size_t>(place / tile_classes_)] : cosines_of(tile, batch);
      tile_gradient_(g, batch.others, bar_, tops, factors);
      if (tile.own_rows.defined())
        g.index_put_({tile.own_rows + tile.own_centre, tile.own_samples},
                     own_gradient.index_select(0, tile.own_samples));
      const at::Tensor direction = tile.rows / tile.norm;
      if (options_.bf16)
        unit += product((g / tile.norm).t(), tile.rows);
      else
        unit.addmm_(g.t(), direction);
      at::Tensor gradient = product(g, batch.unit);
      gradient = (gradient - direction * (gradient * direction).sum(1, true)) / tile.norm;
      if (sink.gradient.defined()) add_rows(sink.gradient, tile, gradient);
      if (sink.rule) step_rows(weight, sink, tile, gradient);
    }
    kept_.clear();
    return unit;
  }

 private:
  struct Tile {
    std::int64_t first = 0, count = 0;
    at::Tensor rows = {}, norm = {};  // [n,D], [n,1]
    at::Tensor index = {};            // rows' indices in the weight; undefined: [first, first + count)
    // [m] i64: first centre's row of the own class, which of its centres, sample
    at::Tensor own_rows = {}, own_centre = {}, own_samples = {};
  };

  void begin(const at::Tensor& weight, const TileBatch& batch) {
    kept_.clear();
    batch_ = batch.unit.size(0);
    const std::int64_t centres = options_.sub_centers;
    count_ = batch.classes ? static_cast<std::int64_t>(batch.classes->size()) : weight.size(0) / centres;
    keep_ = count_ * centres * batch_ * weight.element_size() <= options_.keep_bytes;
    bar_ = batch.bar.defined() ? batch.bar.to(weight.scalar_type()).contiguous() : at::Tensor();
    classes_ = batch.classes ? at::tensor(*batch.classes, at::kLong).to(weight.device()) : at::Tensor();
  }

  // Of all centres of these classes.
  at::Tensor rows_of(const at::Tensor& classes) const {
    const std::int64_t centres = options_.sub_centers;
    return (classes.unsqueeze(1) * centres + at::arange(centres, classes.options())).flatten();
  }

  Tile tile_at(const at::Tensor& weight, const TileBatch& batch, std::int64_t place) const {
    const std::int64_t centres = options_.sub_centers, classes = std::min(tile_classes_, count_ - place);
    Tile tile{.first = place * centres, .count = classes * centres};
    if (batch.classes) {
      tile.index = rows_of(classes_.narrow(0, place, classes));
      tile.rows = weight.index_select(0, tile.index);
    } else {
      tile.rows = weight.narrow(0, tile.first, tile.count);
    }
    tile.norm = at::linalg_vector_norm(tile.rows, 2, {1}, true).clamp_min(kSmallestNorm);
    std::vector<std::int64_t> rows, samples;
    const auto before = [](const OwnClass& o, std::int64_t p) { return o.place < p; };
    const auto first = std::lower_bound(batch.own.begin(), batch.own.end(), place, before);
    const auto last = std::lower_bound(first, batch.own.end(), place + classes, before);
    for (auto it = first; it != last; ++it)
      rows.push_back((it->place - place) * centres), samples.push_back(it->sample);
    if (!rows.empty()) {
      tile.own_rows = at::tensor(rows, at::kLong).to(weight.device());
      tile.own_samples = at::tensor(samples, at::kLong).to(weight.device());
      tile.own_centre = batch.centre.narrow(0, first - batch.own.begin(), last - first);
    }
    return tile;
  }

  // Sums in f32. A GPU multiplies bf16 as it is; elsewhere rounding and multiplying in f32 gives the same.
  at::Tensor product(const at::Tensor& a, const at::Tensor& b) const {
    if (!options_.bf16) return at::mm(a, b);
    const at::Tensor short_a = a.to(at::kBFloat16), short_b = b.to(at::kBFloat16);
    if (a.is_cuda()) return at::mm(short_a, short_b, at::kFloat);
    return at::mm(short_a.to(at::kFloat), short_b.to(at::kFloat));
  }

  at::Tensor cosines_of(const Tile& tile, const TileBatch& batch) const {
    at::Tensor c = product(tile.rows, batch.unit.t()) / tile.norm;
    const std::int64_t centres = options_.sub_centers;
    if (centres > 1) {
      const at::Tensor by_class = c.view({-1, centres, batch_});
      const at::Tensor nearest = by_class.argmax(1, true);
      c = at::full_like(by_class, kernel::kAbsent).scatter(1, nearest, by_class.gather(1, nearest)).view({-1, batch_});
    }
    if (tile.own_rows.defined())
      for (std::int64_t k = 0; k < centres; ++k)
        c.index_put_({tile.own_rows + k, tile.own_samples}, at::scalar_tensor(kernel::kAbsent, c.options()));
    return c.contiguous();
  }

  static void add_rows(at::Tensor& to, const Tile& tile, const at::Tensor& gradient) {
    if (tile.index.defined())
      to.index_add_(0, tile.index, gradient);
    else
      to.narrow(0, tile.first, tile.count).add_(gradient);
  }

  // One step of the optimizer on `w` with its buffers, in place.
  static void step(const RowRule& o, at::Tensor w, std::vector<at::Tensor> state, const at::Tensor& gradient) {
    if (o.kind == RowRuleKind::kSgd) {
      const at::Tensor d = gradient.add(w, o.weight_decay);
      state[0].mul_(o.momentum).add_(d);
      w.sub_(o.nesterov ? d.add(state[0], o.momentum) : state[0], o.rate);
    } else {
      state[0].mul_(o.beta1).add_(gradient, 1 - o.beta1);
      state[1].mul_(o.beta2).addcmul_(gradient, gradient, 1 - o.beta2);
      w.mul_(1 - o.rate * o.weight_decay);
      w.addcdiv_(state[0], (state[1].sqrt() / std::sqrt(o.correction2)).add_(o.epsilon), -o.rate / o.correction1);
    }
  }

  static void step_rows(at::Tensor& weight, RowSink& sink, const Tile& tile, const at::Tensor& gradient) {
    std::vector<at::Tensor> state;
    if (!tile.index.defined()) {
      for (const at::Tensor& s : sink.state) state.push_back(s.narrow(0, tile.first, tile.count));
      step(*sink.rule, tile.rows, state, gradient);
      return;
    }
    for (const at::Tensor& s : sink.state) state.push_back(s.index_select(0, tile.index));
    at::Tensor rows = tile.rows;
    step(*sink.rule, rows, state, gradient);
    weight.index_copy_(0, tile.index, rows);
    for (std::size_t i = 0; i < state.size(); ++i) sink.state[i].index_copy_(0, tile.index, state[i]);
  }

  // Decay and momentum on the rows that take no part: all rows step with a gradient of 0, and those that do take part
  // are put back as they were.
  void step_the_rest(at::Tensor& weight, RowSink& sink) const {
    const std::int64_t tile_rows = tile_classes_ * options_.sub_centers;
    const at::Tensor index = rows_of(classes_);
    const at::Tensor rows = weight.index_select(0, index);
    std::vector<at::Tensor> saved;
    for (const at::Tensor& s : sink.state) saved.push_back(s.index_select(0, index));
    for (std::int64_t first = 0; first < weight.size(0); first += tile_rows) {
      const std::int64_t n = std::min(tile_rows, weight.size(0) - first);
      std::vector<at::Tensor> state;
      for (const at::Tensor& s : sink.state) state.push_back(s.narrow(0, first, n));
      const at::Tensor w = weight.narrow(0, first, n);
      step(*sink.rule, w, state, at::zeros_like(w));
    }
    weight.index_copy_(0, index, rows);
    for (std::size_t i = 0; i < saved.size(); ++i) sink.state[i].index_copy_(0, index, saved[i]);
  }

  TileOptions options_;
  std::int64_t tile_classes_, batch_ = 0, count_ = 0;
  bool keep_ = true;
  at::Tensor bar_, classes_;
  std::vector<at::Tensor> kept_;
};

}  // namespace

std::unique_ptr<Tiles> torch_tiles(const TileOptions& options, std::int64_t tile_classes) {
  return std::make_unique<TorchTiles>(options, tile_classes);
}

}  // namespace likeness::train
