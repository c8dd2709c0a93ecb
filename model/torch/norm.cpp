#include "model/torch/norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "model/torch/rows.h"

namespace likeness::model {
namespace {

using kernel::ComputeT;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// About 128 KiB of f32: large enough to hide the call, small enough that the threads finish together.
Pieces pieces_of(const at::Tensor& x) {
  const std::int64_t channels = std::max<std::int64_t>(x.size(1), 1);
  return {x.numel() / channels, std::max<std::int64_t>(kernel::kSumRows, 32768 / channels)};
}

// Adds up over the ranks; the last of `sums` is this rank's number of values per channel, and all ranks' afterwards.
void add_up(const SumOverRanks& over_ranks, std::vector<double>& sums) {
  at::Tensor view = at::from_blob(sums.data(), {static_cast<std::int64_t>(sums.size())}, at::kDouble);
  over_ranks(view);
}

// Sums of x - shift and its square, of this rank -> of x and its square, of all ranks, whose shifts differ. In f64, in
// which the squares' difference stays exact enough. Returns the number of values per channel.
template <class A>
double share_moments(const SumOverRanks& over_ranks, std::vector<double>& sums, std::vector<A>& shift, double n) {
  const std::size_t channels = shift.size();
  for (std::size_t c = 0; c < channels; ++c) {
    const double m = shift[c];
    sums[channels + c] += m * (2 * sums[c] + n * m);
    sums[c] += n * m;
    shift[c] = 0;
  }
  sums.push_back(n);
  add_up(over_ranks, sums);
  return sums.back();
}

// What backward must know of the ranks, as autograd keeps it.
struct RanksOfNorm : torch::CustomClassHolder {
  explicit RanksOfNorm(std::shared_ptr<const SumOverRanks> all) : over_ranks(std::move(all)) {}
  std::shared_ptr<const SumOverRanks> over_ranks;
};

struct Statistics {
  at::Tensor mean, inverse_std;  // [C], of the type that is computed in
};

template <class T>
Statistics batch_statistics(const at::Tensor& x, const Pieces& rows, const NormParameters& p) {
  using A = ComputeT<T>;
  const std::int64_t channels = x.size(1);
  TORCH_CHECK(rows.count > 1, "batch norm in training mode needs more than one value per channel, got ", x.sizes());
  const T* in = data<T>(x);
  std::vector<A> shift(channels);
  for (std::int64_t c = 0; c < channels; ++c) shift[c] = kernel::load(in[c]);
  const auto& loops = kernel::norm_kernels<T>(kernel::kernels());
  Partials partials(rows, 2 * channels);
  each_piece(rows, [&](std::int64_t i, std::int64_t first, std::int64_t n) {
    loops.moments(in + first * channels, n, channels, shift.data(), partials.of(i), partials.of(i) + channels);
  });
  std::vector<double> sums = partials.total();
  double n = static_cast<double>(rows.count);
  if (p.ranks) n = share_moments(*p.ranks, sums, shift, n);
  Statistics out{at::empty({channels}, p.gamma.options()), at::empty({channels}, p.gamma.options())};
  A *mean = mutable_data<A>(out.mean), *inverse = mutable_data<A>(out.inverse_std);
  A *running_mean = mutable_data<A>(p.running_mean), *running_var = mutable_data<A>(p.running_var);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double d = sums[c] / n, m = shift[c] + d;
    const double variance = std::max(0.0, sums[channels + c] / n - d * d);
    mean[c] = static_cast<A>(m);
    inverse[c] = static_cast<A>(1 / std::sqrt(variance + p.epsilon));
    running_mean[c] = static_cast<A>((1 - p.momentum) * running_mean[c] + p.momentum * m);
    running_var[c] = static_cast<A>((1 - p.momentum) * running_var[c] + p.momentum * variance * n / (n - 1));
  }
  return out;
}

class Norm : public torch::autograd::Function<Norm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_any,
                            const std::optional<at::Tensor>& residual_any, const at::Tensor& gamma,
                            const at::Tensor& beta, const std::optional<at::Tensor>& slope_any,
                            const NormParameters& p) {
    const at::Tensor x = in_rows(x_any), residual = residual_any ? in_rows(*residual_any) : at::Tensor();
    const at::Tensor slope = slope_any.value_or(at::Tensor());
    TORCH_CHECK(!residual.defined() || (residual.sizes() == x.sizes() && residual.scalar_type() == x.scalar_type()),
                "batch norm: what is added must be like the input");
    const Pieces rows = pieces_of(x);
    const std::int64_t channels = x.size(1);
    at::Tensor z = at::empty_like(x);
    Statistics s;
    dispatch(x.scalar_type(), [&]<class T>(T) {
      using A = ComputeT<T>;
      if (p.training)
        s = batch_statistics<T>(x, rows, p);
      else
        s = {p.running_mean.clone(), (p.running_var + p.epsilon).rsqrt()};
      const at::Tensor scale = gamma * s.inverse_std;
      const kernel::NormConstants<A> k{data<A>(s.mean), data<A>(scale), data<A>(beta), data<A>(slope)};
      const auto& loops = kernel::norm_kernels<T>(kernel::kernels());
      each_piece(rows, [&](std::int64_t, std::int64_t first, std::int64_t n) {
        const std::int64_t at = first * channels;
        loops.forward(data<T>(x) + at, residual.defined() ? data<T>(residual) + at : nullptr, mutable_data<T>(z) + at,
                      n, channels, k);
      });
    });
    context->save_for_backward({x, gamma, beta, slope, s.mean, s.inverse_std});
    context->saved_data["training"] = p.training;
    context->saved_data["residual"] = residual.defined();
    if (p.training && p.ranks)
      context->saved_data["ranks"] = c10::IValue::make_capsule(c10::make_intrusive<RanksOfNorm>(p.ranks));
    return z;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], &beta = saved[2], &slope = saved[3], &mean = saved[4],
                     &inverse_std = saved[5];
    const bool training = context->saved_data["training"].toBool();
    const at::Tensor dz = in_rows(gradients[0]);
    const Pieces rows = pieces_of(x);
    const std::int64_t channels = x.size(1);
    at::Tensor dx = at::empty_like(x), dgamma = at::empty_like(gamma), dbeta = at::empty_like(beta), dslope;
    if (slope.defined()) dslope = at::empty_like(slope);
    dispatch(x.scalar_type(), [&]<class T>(T) {
      using A = ComputeT<T>;
      const at::Tensor scale = gamma * inverse_std;
      const kernel::NormConstants<A> k{data<A>(mean), data<A>(scale), data<A>(beta), data<A>(slope)};
      const auto& loops = kernel::norm_kernels<T>(kernel::kernels());
      Partials partials(rows, (slope.defined() ? 3 : 2) * channels);
      each_piece(rows, [&](std::int64_t i, std::int64_t first, std::int64_t n) {
        const std::int64_t at = first * channels;
        loops.reduce(data<T>(x) + at, data<T>(dz) + at, n, channels, k, partials.of(i), partials.of(i) + channels,
                     slope.defined() ? partials.of(i) + 2 * channels : nullptr);
      });
      const std::vector<double> sums = partials.total();
      std::vector<double> all(sums.begin(), sums.begin() + 2 * channels);
      all.push_back(static_cast<double>(rows.count));
      if (const auto ranks = context->saved_data.find("ranks"); ranks != context->saved_data.end())
        add_up(*static_cast<const RanksOfNorm&>(*ranks->second.toCapsule()).over_ranks, all);
      std::vector<A> b(channels, A(0)), c(channels, A(0));
      const A* inverse = data<A>(inverse_std);
      for (std::int64_t i = 0; i < channels; ++i) {
        const double inv = inverse[i], product = sums[channels + i];
        mutable_data<A>(dbeta)[i] = static_cast<A>(sums[i]);
        mutable_data<A>(dgamma)[i] = static_cast<A>(product * inv);
        if (slope.defined()) mutable_data<A>(dslope)[i] = static_cast<A>(sums[2 * channels + i]);
        if (training) {
          b[i] = static_cast<A>(all[i] / all.back());
          c[i] = static_cast<A>(all[channels + i] * inv * inv / all.back());
        }
      }
      each_piece(rows, [&](std::int64_t, std::int64_t first, std::int64_t n) {
        const std::int64_t at = first * channels;
        loops.backward(data<T>(x) + at, data<T>(dz) + at, mutable_data<T>(dx) + at, n, channels, k, b.data(), c.data());
      });
    });
    return {dx, context->saved_data["residual"].toBool() ? dz : at::Tensor(), dgamma, dbeta, dslope, at::Tensor()};
  }
};

}  // namespace

at::Tensor norm(const at::Tensor& x, const at::Tensor& residual, const NormParameters& p) {
  if (!x.is_cpu()) {
    TORCH_CHECK(!p.ranks || !p.training, "batch norm over ranks runs on the CPU only");
    // Elsewhere PyTorch's operators; the CUDA module registers faster ones.
    at::Tensor z =
        at::batch_norm(x, p.gamma, p.beta, p.running_mean, p.running_var, p.training, p.momentum, p.epsilon, true);
    if (p.slope.defined()) z = at::prelu(z, p.slope.to(z.scalar_type()));
    return residual.defined() ? z + residual : z;
  }
  if (x.scalar_type() == at::kHalf)  // the loops know no fp16
    return norm(x.to(at::kFloat), residual.defined() ? residual.to(at::kFloat) : residual, p).to(at::kHalf);
  const auto given = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  return Norm::apply(x, given(residual), p.gamma, p.beta, given(p.slope), p);
}

}  // namespace likeness::model
