#include <torch/torch.h>

#include <cmath>
#include <functional>

#include "tests/gpu/checks.h"
#include "train/head/kernel/kernels.h"
#include "train/head/margin_op.h"
#include "train/head/tile_op.h"

namespace likeness::gpu {
namespace {

using train::Margin, train::Others, train::OthersKind, train::PastPi, train::Reduction;

// ---- margins --------------------------------------------------------------------------------------------------------

// Away from the ends, where slopes are of the order of 1, and at them, where they are up to 1e8.
std::vector<at::Tensor> cosines_to_try() {
  const at::Tensor inside = at::linspace(-.999, .999, 1999, at::kDouble);
  const at::Tensor ends = at::tensor({1., -1., 1 + 1e-9, -1 - 1e-9, 1 - 1e-15, -1 + 1e-15, 1 - 1e-9, -1 + 1e-9},
                                     at::TensorOptions(at::kDouble));
  return {inside, ends, at::full({1}, .3, at::kDouble)};
}

void check_margins(Report& report, const Place& place) {
  const std::vector<std::pair<std::string, Margin>> margins = {
      {"cosface", {.m3 = .4}},
      {"arcface", {.m2 = .5}},
      {"arcface, continued", {.m2 = .5, .past_pi = PastPi::kContinue}},
      {"arcface, mirrored", {.m2 = 1.2, .past_pi = PastPi::kMirror}},
      {"arcface, easy", {.m2 = .5, .past_pi = PastPi::kEasy}},
      {"combined", {.m1 = 1.2, .m2 = .3, .m3 = .2, .past_pi = PastPi::kMirror}},
      {"sphereface", {.m1 = 1.7, .past_pi = PastPi::kMirror}}};
  report.check("margin_points", "f64", 1e-12, [&](Comparison& c) {
    for (const auto& [name, margin] : margins)
      for (const at::Tensor& cosine : cosines_to_try()) {
        at::Tensor value = at::empty_like(cosine), slope = at::empty_like(cosine);
        for (std::int64_t i = 0; i < cosine.numel(); ++i) {
          const double inside = std::fmin(1, std::fmax(-1, cosine.const_data_ptr<double>()[i]));
          const auto point = train::apply_margin(inside, margin);
          value.mutable_data_ptr<double>()[i] = point.value, slope.mutable_data_ptr<double>()[i] = point.slope;
        }
        const std::string where = name + ", " + std::to_string(cosine.numel()) + " cosines";
        const at::Tensor apart = at::stack({cosine, cosine}, 1).to(place.device).select(1, 0);  // every other number
        const auto got = train::margin_points(apart, margin), again = train::margin_points(apart, margin);
        c.add(where + ", value", got.first, value, 1);
        c.add(where + ", slope", got.second, slope, 1);
        c.add_equal(where + ", twice", got.first, again.first);
        c.add_equal(where + ", twice, slope", got.second, again.second);
      }
  });
}

// ---- epilogues of a tile --------------------------------------------------------------------------------------------

// Limits and thresholds have few digits: f32 and f64 then agree about which side of them a cosine lies on.
std::vector<std::pair<std::string, Others<double>>> rules(Reduction reduction) {
  if (reduction == Reduction::kBinary) {
    Others<double> plain{.scale = 64, .reduction = reduction, .bias = -10};
    Others<double> power = plain, detached = plain;
    power.kind = detached.kind = OthersKind::kPower;
    power.power = detached.power = 3, detached.detached = true;
    return {{"plain", plain}, {"power", power}, {"power, detached", detached}};
  }
  return {{"plain", {.scale = 64}},
          {"limited", {.scale = 64, .limit = .875}},
          {"filter", {.kind = OthersKind::kFilter, .scale = 64, .threshold = .25}},
          {"curriculum", {.kind = OthersKind::kCurriculum, .scale = 64, .threshold = .25}},
          {"power", {.kind = OthersKind::kPower, .scale = 64, .power = 3}}};
}

struct TileCase {
  at::Tensor cosines, bar, factor;  // [rows,batch], [batch], [batch]
  std::string name;
};

// Every seventh class absent, a sample with no class at all, cosines of exactly 1 and -1.
TileCase tile_case(std::int64_t rows, std::int64_t batch) {
  TileCase t{.cosines = numbers({rows, batch}, -1, 1, 1),
             .bar = numbers({batch}, -.5, .5, 2),
             .factor = numbers({batch}, .1, 1, 3),
             .name = std::to_string(rows) + " classes, batch " + std::to_string(batch)};
  double* c = t.cosines.mutable_data_ptr<double>();
  for (std::int64_t i = 3; i < rows * batch; i += 7) c[i] = train::kernel::kAbsent;
  if (batch > 1)
    for (std::int64_t r = 0; r < rows; ++r) c[r * batch + 1] = train::kernel::kAbsent;
  c[0] = 1;
  c[(rows - 1) * batch] = rows > 1 ? -1 : 1;
  return t;
}

std::vector<TileCase> tile_cases(const Place& place) {
  std::vector<TileCase> cases;
  const std::vector<std::int64_t> few[2] = {{1, 33, 100}, {1, 7, 33}},
                                  many[2] = {{1, 2, 31, 32, 33, 100, 1000, 4099}, {1, 7, 32, 33, 100, 128, 257}};
  const auto& [rows, batches] = place.quick ? few : many;
  for (const std::int64_t r : rows)
    for (const std::int64_t b : batches) cases.push_back(tile_case(r, b));
  return cases;
}

// What the epilogues leave behind.
struct TileEnds {
  at::Tensor top = {}, sum = {}, slope = {}, gradient = {};
};

at::Tensor finite_top(const at::Tensor& top) { return at::where(top == -INFINITY, at::zeros_like(top), top); }

// The CPU's vector loops in f64. Their rows are padded to whole vectors.
TileEnds by_vector_loops(const TileCase& t, const Others<double>& others) {
  const auto& k = train::kernel::kernels().f64;
  const std::int64_t rows = t.cosines.size(0), batch = t.cosines.size(1),
                     padded = (batch + k.lanes - 1) / k.lanes * k.lanes;
  const auto pad = [&](const at::Tensor& x, double fill) {
    return at::constant_pad_nd(x, {0, padded - batch}, fill).contiguous();
  };
  const at::Tensor tile = pad(t.cosines, train::kernel::kAbsent), bar = pad(t.bar, 0), factor = pad(t.factor, 0);
  TileEnds e{.top = at::full({padded}, -INFINITY, at::kDouble), .sum = at::zeros({padded}, at::kDouble)};
  e.slope = at::zeros_like(e.sum), e.gradient = tile.clone();
  double *top = e.top.mutable_data_ptr<double>(), *sum = e.sum.mutable_data_ptr<double>(),
         *gradient = e.gradient.mutable_data_ptr<double>();
  const double *c = tile.const_data_ptr<double>(), *b = bar.const_data_ptr<double>(),
               *f = factor.const_data_ptr<double>();
  if (others.reduction == Reduction::kBinary) {
    k.binary(c, padded, rows, others, b, sum, e.slope.mutable_data_ptr<double>());
    k.binary_gradient(gradient, padded, rows, others, b, nullptr, f);
  } else {
    k.online(c, padded, rows, others, b, top, sum);
    const at::Tensor finite = finite_top(e.top);
    k.gradient(gradient, padded, rows, others, b, finite.const_data_ptr<double>(), f);
  }
  for (at::Tensor* x : {&e.top, &e.sum, &e.slope}) *x = x->narrow(0, 0, batch);
  e.gradient = e.gradient.narrow(1, 0, batch);
  return e;
}

// The operators where the place is, carried over two tiles; the first has no rows where there is but one.
TileEnds by_operators(const TileCase& t, const Others<double>& others, const Place& place, at::ScalarType type) {
  const auto here = [&](const at::Tensor& x) { return x.to(place.device, type); };
  const at::Tensor cosines = here(t.cosines), factor = here(t.factor);
  const at::Tensor bar = others.kind == OthersKind::kCurriculum ? here(t.bar) : at::Tensor();
  const std::int64_t rows = cosines.size(0), batch = cosines.size(1);
  TileEnds e{.top = at::full({batch}, -INFINITY, cosines.options()),
             .sum = at::zeros({batch}, cosines.options().dtype(at::kDouble))};
  e.slope = at::zeros_like(e.sum), e.gradient = cosines.clone();
  const bool binary = others.reduction == Reduction::kBinary;
  for (const auto& [first, count] : {std::pair(std::int64_t{0}, rows / 2), std::pair(rows / 2, rows - rows / 2)}) {
    const at::Tensor tile = cosines.narrow(0, first, count);
    if (binary)
      train::tile_binary(tile, others, bar, e.sum, e.slope);
    else
      train::tile_online(tile, others, bar, e.top, e.sum);
  }
  train::tile_gradient_(e.gradient, others, bar, binary ? at::Tensor() : finite_top(e.top), factor);
  return e;
}

// `look` compares what one of the operators left behind.
void check_tiles(Report& report, const Place& place, const std::string& name, Reduction reduction,
                 const std::function<void(Comparison&, const std::string&, const TileEnds&, const TileEnds&)>& look) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat})
    report.check(name, precision_name(type), limit_of(type, 1e-12, 1e-4), [&](Comparison& c) {
      for (const TileCase& t : tile_cases(place))
        for (const auto& [rule, others] : rules(reduction)) {
          const TileEnds got = by_operators(t, others, place, type), again = by_operators(t, others, place, type);
          const std::string where = t.name + ", " + rule;
          look(c, where, got, by_vector_loops(t, others));
          c.add_equal(where + ", twice", got.sum, again.sum);
          c.add_equal(where + ", gradient twice", got.gradient, again.gradient);
        }
    });
}

}  // namespace

void check_head_operators(Report& report, const Place& place) {
  check_margins(report, place);
  check_tiles(report, place, "tile_online", Reduction::kSoftmax,
              [](Comparison& c, const std::string& where, const TileEnds& got, const TileEnds& want) {
                c.add(where + ", top", got.top, want.top, 1);
                // Both refer to their own top, which in f32 is rounded.
                const auto total = [](const TileEnds& e) {
                  return e.sum.cpu() * (finite_top(e.top).cpu().to(at::kDouble) - 64).exp();
                };
                c.add(where + ", sum", total(got), total(want));
              });
  check_tiles(report, place, "tile_binary", Reduction::kBinary,
              [](Comparison& c, const std::string& where, const TileEnds& got, const TileEnds& want) {
                c.add(where + ", sum", got.sum, want.sum);
                c.add(where + ", slope", got.slope, want.slope);
              });
  for (const auto& [name, reduction] : {std::pair("tile_gradient_, softmax", Reduction::kSoftmax),
                                        std::pair("tile_gradient_, binary", Reduction::kBinary)})
    check_tiles(report, place, name, reduction,
                [](Comparison& c, const std::string& where, const TileEnds& got, const TileEnds& want) {
                  c.add(where, got.gradient, want.gradient);
                });
}

}  // namespace likeness::gpu
