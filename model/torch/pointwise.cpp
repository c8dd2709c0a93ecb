#include "model/torch/pointwise.h"

#include <torch/csrc/autograd/custom_function.h>

#include "model/torch/rows.h"

namespace likeness::model {
namespace {

using kernel::BF16;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Channels-last [B,C,H,W] as the matrix [B*H*W, C], and back.
at::Tensor as_matrix(const at::Tensor& x) { return x.permute({0, 2, 3, 1}).view({-1, x.size(1)}); }
at::Tensor empty_maps(const at::Tensor& like, std::int64_t channels) {
  return at::empty({like.size(0), channels, like.size(2), like.size(3)}, like.options(),
                   at::MemoryFormat::ChannelsLast);
}

// Rows that are widened to f32 at a time: both factors of a product then stay in the last-level cache.
constexpr std::int64_t kTileRows = 4096;
constexpr std::int64_t kConvertPiece = 16384;

void widen(const at::Tensor& from, const at::Tensor& to) {
  const auto& k = kernel::kernels();
  each_piece({from.numel(), kConvertPiece}, [&](std::int64_t, std::int64_t at, std::int64_t n) {
    k.to_f32(data<BF16>(from) + at, mutable_data<float>(to) + at, n);
  });
}

void narrow(const at::Tensor& from, const at::Tensor& to) {
  const auto& k = kernel::kernels();
  each_piece({from.numel(), kConvertPiece}, [&](std::int64_t, std::int64_t at, std::int64_t n) {
    k.to_bf16(data<float>(from) + at, mutable_data<BF16>(to) + at, n);
  });
}

// f32 room for one tile of a matrix with so many columns.
class Tile {
 public:
  Tile(std::int64_t rows, std::int64_t columns) : room_(at::empty({std::min(rows, kTileRows), columns}, at::kFloat)) {}
  at::Tensor of(std::int64_t rows) const { return room_.narrow(0, 0, rows); }
  at::Tensor load(const at::Tensor& bf16_rows) const {
    const at::Tensor t = of(bf16_rows.size(0));
    widen(bf16_rows, t);
    return t;
  }

 private:
  at::Tensor room_;
};

// out = in * matrix, in tiles of rows.
void multiply(const at::Tensor& in, const at::Tensor& matrix, const at::Tensor& out_rows) {
  at::Tensor out = out_rows;
  if (in.scalar_type() != at::kBFloat16) {
    at::mm_out(out, in, matrix);
    return;
  }
  const std::int64_t rows = in.size(0);
  const Tile left(rows, in.size(1)), product(rows, matrix.size(1));
  for (std::int64_t r = 0; r < rows; r += kTileRows) {
    const std::int64_t n = std::min(kTileRows, rows - r);
    at::Tensor tile = product.of(n);
    at::mm_out(tile, left.load(in.narrow(0, r, n)), matrix);
    narrow(tile, out.narrow(0, r, n));
  }
}

// dy^T * x, [Cout, Cin].
at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x) {
  if (x.scalar_type() != at::kBFloat16) return at::mm(dy.t(), x);
  const std::int64_t rows = x.size(0);
  const Tile left(rows, dy.size(1)), right(rows, x.size(1));
  at::Tensor sum = at::zeros({dy.size(1), x.size(1)}, at::kFloat);
  for (std::int64_t r = 0; r < rows; r += kTileRows) {
    const std::int64_t n = std::min(kTileRows, rows - r);
    sum.addmm_(left.load(dy.narrow(0, r, n)).t(), right.load(x.narrow(0, r, n)));
  }
  return sum;
}

// [Cout, Cin], rounded as the feature maps are.
at::Tensor weight_matrix(const at::Tensor& weight, const at::Tensor& x) {
  const at::Tensor w = weight.view({weight.size(0), weight.size(1)});
  return x.scalar_type() == at::kBFloat16 ? w.to(at::kBFloat16).to(at::kFloat) : w;
}

class Pointwise : public torch::autograd::Function<Pointwise> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_any, const at::Tensor& weight) {
    const at::Tensor x = in_rows(x_any);
    at::Tensor y = empty_maps(x, weight.size(0));
    multiply(as_matrix(x), weight_matrix(weight, x).t(), as_matrix(y));
    context->save_for_backward({x, weight});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], dy = as_matrix(in_rows(gradients[0]));
    at::Tensor dx, dw;
    if (context->needs_input_grad(0)) {
      dx = at::empty_like(x);
      multiply(dy, weight_matrix(weight, x), as_matrix(dx));
    }
    if (context->needs_input_grad(1)) dw = weight_gradient(dy, as_matrix(x)).view(weight.sizes());
    return {dx, dw};
  }
};

}  // namespace

at::Tensor pointwise_convolution(const at::Tensor& x, const at::Tensor& weight) { return Pointwise::apply(x, weight); }

}  // namespace likeness::model
