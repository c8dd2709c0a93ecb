#include "train/head/classifier.h"

#include <torch/torch.h>

#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "core/thread_pool.h"
#include "train/head/reduction.h"
#include "train/optim/optimizer.h"

namespace likeness::train {
namespace {

constexpr double kReferenceFloor = 69.07755278982137;  // -log(1e-30)

// The centres as they start. Rounded through f32, so that an f64 head starts where the f32 one does.
at::Tensor initial_centres(const ClassifierOptions& o, const ClassRange& range, at::ScalarType type) {
  at::Tensor weight = at::empty({range.count * o.sub_centers, o.dimension}, at::TensorOptions().dtype(type));
  AT_DISPATCH_FLOATING_TYPES(type, "initial_centres", [&] {
    scalar_t* rows = weight.mutable_data_ptr<scalar_t>();
    parallel_for(static_cast<std::size_t>(weight.size(0)), 64, at::get_num_threads(),
                 [&](std::size_t begin, std::size_t end) {
                   for (std::size_t r = begin; r < end; ++r) {
                     const auto first = static_cast<std::size_t>(range.begin * o.sub_centers);
                     Rng rng(o.seed, Purpose::kHead, 0, first + r);
                     scalar_t* row = rows + static_cast<std::int64_t>(r) * o.dimension;
                     for (std::int64_t d = 0; d < o.dimension; ++d)
                       row[d] = static_cast<float>(o.init_std * rng.normal());
                   }
                 });
  });
  return weight;
}

TileOptions tile_options(const ClassifierOptions& o) {
  return {.sub_centers = o.sub_centers, .keep_bytes = o.keep_bytes, .bf16 = o.bf16};
}

at::Tensor mask_of(const std::vector<std::int64_t>& labels) {
  at::Tensor known = at::empty({static_cast<std::int64_t>(labels.size())}, at::kBool);
  for (std::size_t b = 0; b < labels.size(); ++b) known.mutable_data_ptr<bool>()[b] = labels[b] >= 0;
  return known;
}

}  // namespace

// The samples of all ranks.
struct Classifier::Gathered {
  at::Tensor norm, unit;             // [B,1], [B,D]
  std::vector<std::int64_t> labels;  // [B]
  std::int64_t mine = 0, each = 0;   // this rank's samples are [mine, mine + each)
};

Classifier::Classifier(const ClassifierOptions& options, at::ScalarType type, Group* group)
    : options_(options),
      alone_(group ? nullptr : solo_group()),
      group_(group ? group : alone_.get()),
      range_(class_range(options.classes, group_->rank(), group_->size())),
      loss_(loss_entry(options.loss.name).make(options.loss)),
      reduction_(loss_entry(options.loss.name).reduction),
      tiles_(cpu_tiles(type, tile_options(options))) {
  if (filter_conflicts(options.loss))
    fail_usage({.what = "this loss has a rule of its own for the other classes",
                .where = "head.filter",
                .expected = "0 with " + options.loss.name,
                .got = std::to_string(options.loss.at("filter"))});
  at::NoGradGuard no_grad;
  weight_ = initial_centres(options, range_, type);
  if (reduction_ == Reduction::kSoftmax) return;
  terms_ = loss_->binary({.classes = options.classes, .sample_rate = options.sample_rate});
  bias_ = at::full({1}, terms_.first_bias, at::kDouble);
}

void Classifier::make_buffers(int count) {
  const auto wanted = static_cast<std::size_t>(count);
  while (buffers_.size() < wanted) buffers_.push_back(at::zeros_like(weight_));
  while (bias_.defined() && bias_buffers_.size() < wanted) bias_buffers_.push_back(at::zeros_like(bias_));
}

void HeadGradient::zero() {
  centres.zero_();
  if (bias.defined()) bias.zero_();
}

HeadGradient Classifier::zero_gradient() const {
  return {.centres = at::zeros_like(weight_), .bias = bias_.defined() ? at::zeros_like(bias_) : at::Tensor()};
}

void Classifier::to(at::Device device) {
  if (device == weight_.device()) return;
  const TileOptions tiles = tile_options(options_);
  tiles_ = device.is_cpu() ? cpu_tiles(weight_.scalar_type(), tiles) : torch_tiles(tiles);
  weight_ = weight_.to(device);
  for (at::Tensor& b : buffers_) b = b.to(device);
}

Classifier::Gathered Classifier::gather(const at::Tensor& embeddings, const at::Tensor& labels) {
  TORCH_CHECK(embeddings.dim() == 2 && embeddings.size(1) == options_.dimension, "embeddings must be [B,D]");
  TORCH_CHECK(
      labels.dim() == 1 && labels.size(0) == embeddings.size(0) && labels.scalar_type() == at::kLong && labels.is_cpu(),
      "labels must be [B] i64 on the CPU");
  Gathered all;
  all.each = embeddings.size(0), all.mine = all.each * group_->rank();
  const at::Tensor own = embeddings.detach().to(weight_.scalar_type()).contiguous();
  const at::Tensor joined = group_->size() == 1 ? own : at::cat(group_->all_gather(own));
  const at::Tensor joined_labels = group_->size() == 1
                                       ? labels.contiguous()
                                       : at::cat(group_->all_gather(labels.to(embeddings.device()).contiguous())).cpu();
  const std::int64_t* l = joined_labels.const_data_ptr<std::int64_t>();
  all.labels.assign(l, l + joined_labels.numel());
  for (std::int64_t label : all.labels)
    TORCH_CHECK(label >= -1 && label < options_.classes, "label ", label, " is outside [0,", options_.classes, ")");
  all.norm = at::linalg_vector_norm(joined, 2, {1}, true).clamp_min(kSmallestNorm);
  all.unit = joined / all.norm;
  return all;
}

HeadStep Classifier::step(const at::Tensor& embeddings, const at::Tensor& labels, std::int64_t step,
                          const RowRule* rule, HeadGradient* gradient, double share) {
  at::NoGradGuard no_grad;
  const Gathered all = gather(embeddings, labels);
  const double rate = sample_rate_at(options_.sample_stages, options_.sample_rate, step, options_.steps);
  if (rate >= 1) return run(all, nullptr, step, rule, gradient, share);
  const auto classes = sample_classes(all.labels, range_, {.rate = rate, .seed = options_.seed}, step);
  return run(all, &classes, step, rule, gradient, share);
}

void Classifier::apply(const RowRule& rule, const HeadGradient& gradient) {
  at::NoGradGuard no_grad;
  make_buffers(rule.buffers());
  fused_step(rule, weight_, gradient.centres, buffers_);
  if (bias_.defined()) fused_step(rule, bias_, gradient.bias, bias_buffers_);
}

HeadStep Classifier::step_on(const std::vector<std::int64_t>& classes, const at::Tensor& embeddings,
                             const at::Tensor& labels, std::int64_t step, const RowRule* rule, HeadGradient* gradient) {
  at::NoGradGuard no_grad;
  return run(gather(embeddings, labels), &classes, step, rule, gradient, 1);
}

at::Tensor Classifier::own_cosines(const Gathered& all, TileBatch* batch) const {
  const std::vector<std::int64_t>* classes = batch->classes;
  const at::Device device = weight_.device();
  const std::int64_t count = all.unit.size(0), centres = options_.sub_centers;
  for (std::int64_t b = 0; b < count; ++b) {
    const std::int64_t local = all.labels[static_cast<std::size_t>(b)] - range_.begin;
    if (local < 0 || local >= range_.count) continue;
    std::int64_t place = local;
    if (classes) {
      const auto it = std::lower_bound(classes->begin(), classes->end(), local);
      LIKENESS_ASSERT(it != classes->end() && *it == local);
      place = it - classes->begin();
    }
    batch->own.push_back({.place = place, .sample = b});
  }
  std::sort(batch->own.begin(), batch->own.end(), [](const OwnClass& a, const OwnClass& b) {
    return std::pair(a.place, a.sample) < std::pair(b.place, b.sample);
  });
  at::Tensor cosine = at::zeros({count}, at::TensorOptions().dtype(at::kDouble).device(device));
  if (!batch->own.empty()) {
    at::Tensor rows = at::empty({static_cast<std::int64_t>(batch->own.size())}, at::kLong), samples = rows.clone();
    for (std::size_t i = 0; i < batch->own.size(); ++i) {
      const OwnClass& o = batch->own[i];
      rows.mutable_data_ptr<std::int64_t>()[i] = classes ? (*classes)[static_cast<std::size_t>(o.place)] : o.place;
      samples.mutable_data_ptr<std::int64_t>()[i] = o.sample;
    }
    const at::Tensor own = weight_.view({range_.count, centres, -1}).index_select(0, rows.to(device)).to(at::kDouble);
    const at::Tensor unit = all.unit.index_select(0, samples.to(device)).to(at::kDouble).unsqueeze(1);
    const auto [nearest, which] =
        ((own * unit).sum(2) / at::linalg_vector_norm(own, 2, {2}).clamp_min(kSmallestNorm)).clamp(-1, 1).max(1);
    cosine.index_copy_(0, samples.to(device), nearest);
    batch->centre = which.contiguous();
  }
  return cosine;
}

Others<double> Classifier::others() const {
  Others<double> o = loss_->others();
  o.scale = options_.loss.at("scale");
  o.detached = options_.loss.at("gradient") != 0;
  o.reduction = reduction_;
  if (bias_.defined()) o.bias = bias_.item<double>() + terms_.shift;
  if (const double t = options_.loss.at("filter"); t > 0) o.kind = OthersKind::kFilter, o.threshold = t;
  return o;
}

HeadStep Classifier::run(const Gathered& all, const std::vector<std::int64_t>* classes, std::int64_t step,
                         const RowRule* rule, HeadGradient* gradient, double share) {
  const at::Device device = weight_.device();
  const double scale = options_.loss.at("scale");

  TileBatch batch{.unit = all.unit, .classes = classes};
  at::Tensor cosine = own_cosines(all, &batch);
  group_->all_reduce_sum(cosine);

  const at::Tensor known = mask_of(all.labels).to(device);
  const at::Tensor norm = all.norm.view({-1}).to(at::kDouble);
  const Slopes slopes =
      apply_with_slopes(*loss_, {.cosine = cosine, .norm = norm, .known = known, .step = step, .seed = options_.seed},
                        options_.loss.at("gradient") != 0);
  batch.others = others();
  batch.bar = slopes.margined.bar;

  // The other classes by tiles, the own class beside them.
  OtherSums sums = tiles_->forward(weight_, batch);
  const Reduced reduced =
      reduction_ == Reduction::kSoftmax
          ? reduce_softmax(sums, slopes.margined.value, known, scale, *group_)
          : reduce_binary(sums, slopes.margined.value, scale, terms_, bias_.item<double>(), *group_);
  at::Tensor losses = reduced.losses;
  if (options_.cap_reported_loss) losses = losses.clamp_max(kReferenceFloor);
  if (slopes.margined.extra.defined()) losses = losses + slopes.margined.extra;
  const at::Tensor weights = known.to(at::kDouble) / known.sum().clamp_min(1);
  HeadStep result{.loss = at::where(known, losses * weights, 0).sum()};
  const TripletOptions& t = options_.triplet;
  const Triplets triplets = t.weight > 0 ? batch_hard(all.unit, all.labels, t.margin) : Triplets{};
  if (t.weight > 0) result.loss += t.weight * triplets.loss;
  if (device.is_cpu()) result.finite = std::isfinite(result.loss.item<double>());  // on a GPU reading it would wait
  if (!result.finite) return result;

  // And back: by the cosine of the own class, and by those of the others.
  const at::Tensor part = weights * share, by_own = part * reduced.by_value;
  const at::Tensor by_cosine = by_own * slopes.by_cosine + part * slopes.extra_by_cosine;
  const at::Tensor by_norm = by_own * slopes.by_norm + part * slopes.extra_by_norm;
  RowSink sink{.rule = rule, .untouched_rows_too = !options_.sparse};
  if (rule) make_buffers(rule->buffers()), sink.state = buffers_;
  if (gradient) sink.gradient = gradient->centres;
  at::Tensor unit_gradient = tiles_->backward(weight_, batch, reduced.top, part * reduced.factor, by_cosine, sink);
  group_->all_reduce_sum(unit_gradient);
  if (t.weight > 0) unit_gradient.add_(triplets.gradient, t.weight * share);  // known to every rank as a whole
  if (bias_.defined()) {
    const at::Tensor by_bias = (part * reduced.by_bias).sum().cpu().view({1});
    if (gradient) gradient->bias += by_bias;
    if (rule) fused_step(*rule, bias_, by_bias, bias_buffers_);
  }

  const at::Tensor g = unit_gradient.narrow(0, all.mine, all.each), u = all.unit.narrow(0, all.mine, all.each);
  result.embeddings = (g - u * (g * u).sum(1, true)) / all.norm.narrow(0, all.mine, all.each) +
                      u * by_norm.narrow(0, all.mine, all.each).unsqueeze(1).to(u.scalar_type());
  if (group_->size() > 1) result.embeddings = result.embeddings * group_->size();
  return result;
}

}  // namespace likeness::train
