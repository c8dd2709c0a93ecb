#include "model/torch/tokens.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "model/torch/convolution.h"

namespace likeness::model {
namespace {

// Indices of kept tokens among the rows of [B*T,D].
at::Tensor rows_of(const at::Tensor& kept, std::int64_t tokens) {
  return (kept + at::arange(kept.size(0), kept.options()).unsqueeze(1) * tokens).flatten();
}

}  // namespace

at::Tensor tokens_of(const at::Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}).flatten(1, 2);
}

at::Tensor token_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool bf16) {
  if (!bf16) return at::linear(x, weight, bias);
  const at::Tensor h = x.to(at::kBFloat16);
  if (!x.is_cpu() || bf16_is_native())
    return at::linear(h, weight.to(at::kBFloat16), bias.defined() ? bias.to(at::kBFloat16) : bias);
  // Tokens are the rows of a channels-last map one pixel wide: the 1x1 convolution knows how to widen tile by tile.
  const at::Tensor maps = h.contiguous().transpose(1, 2).unsqueeze(3);
  return convolution(maps, weight.unsqueeze(2).unsqueeze(3), bias, {}).squeeze(3).transpose(1, 2);
}

at::Tensor attention(const at::Tensor& qkv, int heads) {
  const std::int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / 3;
  const bool widen = qkv.scalar_type() == at::kBFloat16 && qkv.is_cpu();
  const at::Tensor x = widen ? qkv.to(at::kFloat) : qkv;
  const std::vector<at::Tensor> parts =
      x.reshape({batch, tokens, 3, heads, width / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
  const at::Tensor y = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return y.transpose(1, 2).reshape({batch, tokens, width}).to(qkv.scalar_type());
}

at::Tensor kept_tokens(std::int64_t batch, std::int64_t tokens, double left_out, Rng rng) {
  const std::int64_t count =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(tokens) * (1 - left_out)));
  at::Tensor kept = at::empty({batch, count}, at::kLong);
  std::vector<std::int64_t> order(static_cast<std::size_t>(tokens));
  for (std::int64_t b = 0; b < batch; ++b) {
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = 0; i < count; ++i)
      std::swap(order[i], order[i + rng.below(static_cast<std::uint64_t>(tokens - i))]);
    // The order among tokens changes nothing that follows; ascending reads memory forwards.
    std::sort(order.begin(), order.begin() + count);
    std::copy_n(order.begin(), count, kept.data_ptr<std::int64_t>() + b * count);
  }
  return kept;
}

at::Tensor take_tokens(const at::Tensor& x, const at::Tensor& kept) {
  if (kept.size(1) == x.size(1)) return x;
  const at::Tensor rows = rows_of(kept, x.size(1)).to(x.device());
  return x.flatten(0, 1).index_select(0, rows).unflatten(0, {x.size(0), kept.size(1)});
}

at::Tensor put_tokens(const at::Tensor& x, const at::Tensor& kept, const at::Tensor& missing, std::int64_t tokens) {
  const at::Tensor rows = rows_of(kept, tokens).to(x.device());
  const at::Tensor base = missing.to(x.scalar_type()).expand({x.size(0), tokens, x.size(2)}).flatten(0, 1);
  return base.index_copy(0, rows, x.flatten(0, 1)).unflatten(0, {x.size(0), tokens});
}

}  // namespace likeness::model
