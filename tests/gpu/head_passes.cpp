#include <torch/torch.h>

#include "tests/gpu/checks.h"
#include "train/head/classifier.h"
#include "train/head/tiles.h"

namespace likeness::gpu {
namespace {

using namespace train;  // NOLINT: this file speaks of nothing else

constexpr std::int64_t kTileClasses = 50;  // several tiles, the last of them not full

struct PassCase {
  std::string name;
  std::int64_t classes, dimension, batch, centres;
  bool sampled, keep;
  OthersKind kind;
  Reduction reduction;
  RowRuleKind rule;
};

std::vector<PassCase> pass_cases(const Place& place) {
  const std::vector<std::pair<OthersKind, Reduction>> few = {{OthersKind::kPlain, Reduction::kSoftmax},
                                                             {OthersKind::kPower, Reduction::kBinary}},
                                                      more = {{OthersKind::kFilter, Reduction::kSoftmax},
                                                              {OthersKind::kCurriculum, Reduction::kSoftmax},
                                                              {OthersKind::kPower, Reduction::kSoftmax},
                                                              {OthersKind::kPlain, Reduction::kBinary}};
  auto kinds = few;
  if (!place.quick) kinds.insert(kinds.end(), more.begin(), more.end());
  std::vector<PassCase> cases;
  for (const auto& [kind, reduction] : kinds)
    for (const std::int64_t centres : {1, 3})
      for (const bool sampled : {false, true})
        for (const bool keep : {false, true})
          for (const RowRuleKind rule : {RowRuleKind::kSgd, RowRuleKind::kAdamW}) {
            PassCase c{
                "", place.quick ? 131 : 1999, 72, place.quick ? 13 : 37, centres, sampled, keep, kind, reduction, rule};
            c.name = "others " + std::to_string(static_cast<int>(kind)) +
                     (reduction == Reduction::kBinary ? ", binary, " : ", softmax, ") + std::to_string(centres) +
                     (sampled ? " centres, sampled" : " centres") + (keep ? ", kept" : "") +
                     (rule == RowRuleKind::kSgd ? ", SGD" : ", AdamW");
            cases.push_back(c);
          }
  return cases;
}

// What both passes leave behind: top + log sum, or sum and its slope; gradients; the centres and the rule's buffers.
std::vector<std::pair<const char*, at::Tensor>> run_passes(Tiles& tiles, const PassCase& c, at::Device device,
                                                           at::ScalarType type) {
  const at::Tensor e = numbers({c.batch, c.dimension}, -1, 1, 4);
  at::Tensor weight = numbers({c.classes * c.centres, c.dimension}, -1, 1, 5).to(device, type);
  std::vector<std::int64_t> some;  // the own classes among them
  for (std::int64_t i = 0; i < c.classes; ++i)
    if (i % 3 == 0 || i == 2 || i == 60) some.push_back(i);
  const auto place_of = [&](std::int64_t local) {
    return c.sampled ? std::lower_bound(some.begin(), some.end(), local) - some.begin() : local;
  };
  TileBatch b{.unit = (e / e.norm(2, {1}, true)).to(device, type), .classes = c.sampled ? &some : nullptr};
  b.own = {
      {.place = place_of(2), .sample = 4}, {.place = place_of(2), .sample = 7}, {.place = place_of(60), .sample = 0}};
  b.centre = at::tensor({c.centres - 1, std::int64_t{0}, c.centres - 1}, at::kLong).to(device);
  b.others = {.kind = c.kind, .scale = 16, .threshold = .25, .power = 3, .reduction = c.reduction};
  if (c.reduction == Reduction::kBinary) b.others.bias = -3;
  b.bar = numbers({c.batch}, -.3, .3, 6).to(device);
  const at::Tensor own = numbers({c.batch}, -.1, .1, 7).to(device);
  const RowRule rule{
      .kind = c.rule, .rate = .1, .weight_decay = .01, .nesterov = true, .correction1 = .1, .correction2 = .2};
  RowSink sink{.rule = &rule, .untouched_rows_too = true, .gradient = at::zeros_like(weight)};
  for (int i = 0; i < rule.buffers(); ++i) sink.state.push_back(at::full_like(weight, .01));
  const OtherSums sums = tiles.forward(weight, b);
  const bool binary = c.reduction == Reduction::kBinary;
  const at::Tensor unit = tiles.backward(weight, b, sums.top, 1 / sums.sum, own, sink);
  std::vector<std::pair<const char*, at::Tensor>> ends = {
      {"sums", binary ? sums.sum : sums.top.to(at::kDouble) + sums.sum.log()},
      {"embeddings' gradient", unit},
      {"centres' gradient", sink.gradient},
      {"centres", weight}};
  for (const at::Tensor& s : sink.state) ends.emplace_back("buffer", s);
  if (binary) ends.emplace_back("slope", sums.slope);
  return ends;
}

// f32 as a whole: sums round small entries by the size of the large.
void compare(Comparison& c, const std::string& where, const at::Tensor& got, const at::Tensor& want,
             at::ScalarType type) {
  if (type == at::kDouble)
    c.add(where, got, want);
  else
    c.add_distance(where, got, want);
}

void check_passes(Report& report, const Place& place) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat})
    report.check("passes over the classes", precision_name(type), limit_of(type, 1e-11, 1e-5), [&](Comparison& c) {
      for (const PassCase& p : pass_cases(place)) {
        // AdamW divides a small gradient by its own size: in f32 rounding alone moves such entries by any amount.
        if (type == at::kFloat && p.rule == RowRuleKind::kAdamW) continue;
        const TileOptions o{.sub_centers = p.centres, .keep_bytes = p.keep ? 1 << 30 : 0};
        const auto want = run_passes(*cpu_tiles(at::kDouble, o), p, at::kCPU, at::kDouble);
        const auto tested = torch_tiles(o, kTileClasses);
        const auto got = run_passes(*tested, p, place.device, type), again = run_passes(*tested, p, place.device, type);
        for (std::size_t i = 0; i < want.size(); ++i) {
          const std::string where = p.name + ", " + want[i].first;
          compare(c, where, got[i].second, want[i].second, type);
          c.add_equal(where + ", twice", got[i].second, again[i].second);
        }
      }
    });
  // Products of operands rounded to bf16: a gradient that falls on the other side of a rounding step is rare.
  report.check("passes over the classes", "bf16", 3e-4, [&](Comparison& c) {
    for (const PassCase& p : pass_cases(place)) {
      if (p.rule == RowRuleKind::kAdamW) continue;
      const TileOptions o{.sub_centers = p.centres, .keep_bytes = p.keep ? 1 << 30 : 0, .bf16 = true};
      const auto want = run_passes(*cpu_tiles(at::kFloat, o), p, at::kCPU, at::kFloat);
      const auto got = run_passes(*torch_tiles(o, kTileClasses), p, place.device, at::kFloat);
      for (std::size_t i = 0; i < want.size(); ++i)
        c.add_distance(p.name + ", " + want[i].first, got[i].second, want[i].second);
    }
  });
}

// A step of the classifier: loss, the embeddings' gradient, the centres, all from the same start.
struct HeadEnds {
  at::Tensor loss, embeddings, centres;
};
HeadEnds run_classifier(const ClassifierOptions& o, at::Device device, at::ScalarType type, std::int64_t batch) {
  Classifier head(o, type);
  head.to(device);
  at::Tensor labels = (at::arange(batch, at::kLong) * 97) % o.classes;
  if (batch > 2) labels.mutable_data_ptr<std::int64_t>()[1] = -1;  // a picture of no class
  const at::Tensor e = numbers({batch, o.dimension}, -5, 5, 8).to(device, type);
  const RowRule rule{.rate = .1, .weight_decay = 5e-4};
  const HeadStep step = head.step(e, labels, 0, &rule);
  return {step.loss, step.embeddings, head.weight()};
}

void check_classifier(Report& report, const Place& place) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    if (type == at::kDouble && place.is_reference()) continue;
    report.check("classifier, every loss", precision_name(type), limit_of(type, 1e-9, 1e-4), [&](Comparison& c) {
      for (const LossEntry* entry : loss_table())
        for (const double rate : {1., .3})
          for (const std::int64_t batch : {std::int64_t{1}, std::int64_t{37}}) {
            const ClassifierOptions o{.classes = place.quick ? 401 : 4099,
                                      .dimension = 32,
                                      .loss = {entry->name},
                                      .sub_centers = 2,
                                      .sample_rate = rate,
                                      .seed = 3};
            const HeadEnds want = run_classifier(o, at::kCPU, at::kDouble, batch),
                           got = run_classifier(o, place.device, type, batch);
            const std::string where =
                entry->name + ", rate " + (rate == 1 ? "1" : "0.3") + ", batch " + std::to_string(batch) + ", ";
            c.add(where + "loss", got.loss, want.loss, 1);
            compare(c, where + "embeddings' gradient", got.embeddings, want.embeddings, type);
            compare(c, where + "centres", got.centres, want.centres, type);
          }
    });
  }
}

}  // namespace

void check_head_passes(Report& report, const Place& place) {
  check_passes(report, place);
  check_classifier(report, place);
}

}  // namespace likeness::gpu
