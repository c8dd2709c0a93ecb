#include "train/dist/reducer.h"

#include <torch/torch.h>

#include <ranges>

#include "core/error.h"

namespace likeness::train {

// Called by autograd when a parameter's .grad of this backward is complete.
class Reducer::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(Reducer& reducer, Slot& slot) : reducer_(reducer), slot_(slot) {}
  void operator()(const at::Tensor&) override {
    if (!reducer_.paused_) reducer_.arrived(slot_);
  }

 private:
  Reducer& reducer_;
  Slot& slot_;
};

Reducer::Reducer(const std::vector<at::Tensor>& parameters, Group& group, ReducerOptions options)
    : group_(group), options_(options) {
  if (group.size() == 1) return;
  at::NoGradGuard no_grad;
  scale_ = at::scalar_tensor(1.0 / group.size(), at::kDouble);
  lay_out(parameters);
  for (Slot& slot : slots_)
    torch::autograd::impl::set_post_acc_grad_hooks(slot.parameter, std::make_unique<Hook>(*this, slot));
}

Reducer::~Reducer() {
  for (Slot& slot : slots_) torch::autograd::impl::set_post_acc_grad_hooks(slot.parameter, nullptr);
}

void Reducer::lay_out(const std::vector<at::Tensor>& parameters) {
  std::int64_t elements = 0;
  for (const at::Tensor& p : parameters | std::views::reverse) {
    LIKENESS_ASSERT(p.requires_grad() && p.is_leaf() && p.is_non_overlapping_and_dense());
    const at::Tensor* before = slots_.empty() ? nullptr : &slots_.back().parameter;
    const bool fits = before != nullptr && before->scalar_type() == p.scalar_type() &&
                      (elements + p.numel()) * p.element_size() <= options_.bucket_bytes;
    if (!fits) buckets_.emplace_back(), elements = 0;
    slots_.push_back({.parameter = p, .view = {}, .bucket = buckets_.size() - 1});
    ++buckets_.back().slots;
    elements += p.numel();
  }
  auto first = slots_.begin();
  for (Bucket& bucket : buckets_) {
    const auto last = first + static_cast<std::ptrdiff_t>(bucket.slots);
    std::int64_t size = 0;
    for (auto slot = first; slot != last; ++slot) size += slot->parameter.numel();
    bucket.values = at::empty({size}, first->parameter.options().requires_grad(false));
    if (options_.bf16) bucket.rounded = at::empty_like(bucket.values, bucket.values.options().dtype(at::kBFloat16));
    for (std::int64_t offset = 0; first != last; offset += first++->parameter.numel())
      first->view = bucket.values.as_strided(first->parameter.sizes(), first->parameter.strides(), offset);
  }
}

// Moves the gradient into its place, already divided, so that sums of halves cannot overflow.
void Reducer::arrived(Slot& slot) {
  LIKENESS_ASSERT(!slot.ready);  // a second backward before finish(), without pause(true) for the first
  at::NoGradGuard no_grad;
  at::Tensor& gradient = slot.parameter.mutable_grad();
  if (gradient.defined())
    at::mul_out(slot.view, gradient, scale_);
  else
    slot.view.zero_();
  gradient = slot.view;
  slot.ready = true;
  ++buckets_[slot.bucket].ready;
  begin_complete_buckets();
}

void Reducer::begin_complete_buckets() {
  for (; next_ < buckets_.size() && buckets_[next_].ready == buckets_[next_].slots; ++next_) {
    Bucket& bucket = buckets_[next_];
    if (options_.bf16) bucket.rounded.copy_(bucket.values);
    bucket.pending = group_.start_sum(options_.bf16 ? bucket.rounded : bucket.values);
  }
}

void Reducer::finish() {
  at::NoGradGuard no_grad;
  for (Slot& slot : slots_)
    if (!slot.ready) arrived(slot);
  for (Bucket& bucket : buckets_) {
    bucket.pending->wait();
    bucket.pending.reset();
    if (options_.bf16) bucket.values.copy_(bucket.rounded);
    bucket.ready = 0;
  }
  for (Slot& slot : slots_) slot.ready = false;
  next_ = 0;
}

}  // namespace likeness::train
