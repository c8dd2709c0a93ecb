#include <torch/torch.h>

#include <functional>

#include "model/torch/convolution.h"
#include "model/torch/module.h"
#include "model/torch/norm.h"
#include "model/torch/tokens.h"
#include "tests/gpu/checks.h"
#include "train/optim/optimizer.h"

namespace likeness::gpu {
namespace {

using Tensors = std::vector<at::Tensor>;
using Function = std::function<at::Tensor(const Tensors&)>;

// bf16's digits, so that only what is computed is rounded, not what it is computed from.
at::Tensor coarse(const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kDouble); }

// f's result and its gradients by all inputs, for one fixed gradient by the result. The first `maps` inputs are feature
// maps, in `type`; the others are parameters, which stay f32 where feature maps are bf16.
Tensors differentiate(const Function& f, const Tensors& inputs, std::size_t maps, at::Device device,
                      at::ScalarType type) {
  Tensors leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool is_map = i < maps;
    at::Tensor t =
        coarse(inputs[i]).to(device, type == at::kBFloat16 && !is_map ? at::kFloat : type, false, /*copy=*/true);
    if (is_map && t.dim() == 4) t = t.contiguous(at::MemoryFormat::ChannelsLast);
    leaves.push_back(t.set_requires_grad(true));
  }
  const at::Tensor out = f(leaves);
  const at::Tensor by_out = coarse(numbers(out.sizes(), -1, 1, 9)).to(device, out.scalar_type());
  Tensors ends = torch::autograd::grad({out}, leaves, {by_out});
  ends.insert(ends.begin(), out.detach());
  return ends;
}

constexpr at::ScalarType kTypes[] = {at::kDouble, at::kFloat, at::kBFloat16};

// f32 as a whole, too: Winograd's convolutions and attention by blocks round the small entries by the size of the
// large.
void compare(Comparison& c, const std::string& where, const Tensors& got, const Tensors& want, at::ScalarType type) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::string what = where + (i == 0 ? ", result" : ", gradient " + std::to_string(i));
    if (type == at::kDouble)
      c.add(what, got[i], want[i]);
    else
      c.add_distance(what, got[i], want[i]);
  }
}

// ---- batch norm + PReLU + addition ----------------------------------------------------------------------------------

at::Tensor norm_by_torch(const at::Tensor& x, const at::Tensor& residual, const model::NormParameters& p) {
  at::Tensor z =
      at::batch_norm(x, p.gamma, p.beta, p.running_mean, p.running_var, p.training, p.momentum, p.epsilon, false);
  if (p.slope.defined()) z = at::prelu(z, p.slope);
  return residual.defined() ? z + residual : z;
}

void check_norm(Report& report, const Place& place) {
  std::vector<std::vector<std::int64_t>> shapes = {{1, 3, 5, 7}, {2, 17, 9, 9}, {16, 5}};
  if (!place.quick) shapes.insert(shapes.end(), {{4, 64, 28, 28}, {8, 512, 7, 7}, {3, 130, 3, 1}, {128, 512}});
  for (const at::ScalarType type : kTypes)
    report.check(
        "batch norm + PReLU + addition", precision_name(type), limit_of(type, 1e-9, 1e-4, 2e-2), [&](Comparison& c) {
          for (const auto& shape : shapes)
            for (const int variant : {0, 1, 2, 3, 4, 5, 6, 7}) {
              const bool training = variant & 1, residual = variant & 2, slope = variant & 4;
              const std::int64_t channels = shape[1];
              Tensors inputs;
              inputs.reserve(5);
              inputs.push_back(numbers(shape, -2, 2, 10));
              if (residual) inputs.push_back(numbers(shape, -2, 2, 11));
              const std::size_t maps = inputs.size();
              inputs.push_back(numbers({channels}, .5, 1.5, 12));
              inputs.push_back(numbers({channels}, -.5, .5, 13));
              if (slope) inputs.push_back(numbers({channels}, .1, .4, 14));
              const auto run = [&](at::Device device, at::ScalarType t, bool by_torch) {
                const at::TensorOptions o = at::TensorOptions(device).dtype(t == at::kBFloat16 ? at::kFloat : t);
                const at::Tensor mean = numbers({channels}, -.5, .5, 15).to(o),
                                 var = numbers({channels}, .5, 1.5, 16).to(o);
                Tensors ends = differentiate(
                    [&](const Tensors& in) {
                      const model::NormParameters p{.gamma = in[maps],
                                                    .beta = in[maps + 1],
                                                    .running_mean = mean,
                                                    .running_var = var,
                                                    .slope = slope ? in[maps + 2] : at::Tensor(),
                                                    .training = training};
                      const at::Tensor add = residual ? in[1] : at::Tensor();
                      return by_torch ? norm_by_torch(in[0], add, p) : model::norm(in[0], add, p);
                    },
                    inputs, maps, device, t);
                ends.push_back(mean), ends.push_back(var);
                return ends;
              };
              compare(c,
                      c10::str("shape ", at::IntArrayRef(shape), training ? ", training" : "",
                               residual ? ", addition" : "", slope ? ", PReLU" : ""),
                      run(place.device, type, false), run(at::kCPU, at::kDouble, place.is_reference()), type);
            }
        });
}

// ---- convolutions ---------------------------------------------------------------------------------------------------

struct ConvCase {
  std::int64_t batch, in, out, side, kernel;
  model::ConvShape shape;
};

void check_convolutions(Report& report, const Place& place) {
  std::vector<ConvCase> cases = {{2, 3, 8, 16, 3, {.stride = 1, .padding = 1}},
                                 {2, 8, 16, 9, 1, {}},
                                 {2, 16, 16, 9, 3, {.stride = 2, .padding = 1, .groups = 16}},
                                 {3, 16, 16, 8, 3, {.stride = 1, .padding = 1, .groups = 8}}};
  if (!place.quick) {
    const std::vector<ConvCase> more = {{4, 64, 128, 28, 3, {.stride = 2, .padding = 1}},
                                        {4, 64, 128, 28, 1, {.stride = 2}},
                                        {1, 64, 64, 14, 3, {.stride = 1, .padding = 1}},
                                        {4, 128, 128, 56, 3, {.stride = 1, .padding = 1, .groups = 64}},
                                        {4, 512, 512, 7, 7, {.groups = 512}},
                                        {4, 128, 256, 14, 1, {}}};
    cases.insert(cases.end(), more.begin(), more.end());
  }
  for (const at::ScalarType type : kTypes)
    report.check("convolution", precision_name(type), limit_of(type, 1e-9, 1e-4, 2e-2), [&](Comparison& c) {
      for (const ConvCase& k : cases)
        for (const bool bias : {false, true}) {
          Tensors inputs = {numbers({k.batch, k.in, k.side, k.side}, -1, 1, 17),
                            numbers({k.out, k.in / k.shape.groups, k.kernel, k.kernel}, -1, 1, 18)};
          if (bias) inputs.push_back(numbers({k.out}, -1, 1, 19));
          const auto run = [&](at::Device device, at::ScalarType t, bool by_torch) {
            return differentiate(
                [&](const Tensors& in) {
                  const model::ConvShape& s = k.shape;
                  const at::Tensor b = bias ? in[2] : at::Tensor();
                  return by_torch ? at::conv2d(in[0], in[1], b, {s.stride, s.stride}, {s.padding, s.padding}, {1, 1},
                                               s.groups)
                                  : model::convolution(in[0], in[1], b, s);
                },
                inputs, 1, device, t);
          };
          compare(c,
                  c10::str(k.batch, "x", k.in, "x", k.side, " to ", k.out, ", kernel ", k.kernel, ", stride ",
                           k.shape.stride, ", groups ", k.shape.groups, bias ? ", bias" : ""),
                  run(place.device, type, false), run(at::kCPU, at::kDouble, place.is_reference()), type);
        }
    });
}

// ---- tokens ---------------------------------------------------------------------------------------------------------

at::Tensor attention_by_formula(const at::Tensor& qkv, std::int64_t heads) {
  const std::int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / 3;
  const Tensors p = qkv.reshape({batch, tokens, 3, heads, width / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
  const at::Tensor weights =
      (at::matmul(p[0], p[1].transpose(2, 3)) / std::sqrt(static_cast<double>(width / heads))).softmax(3);
  return at::matmul(weights, p[2]).transpose(1, 2).reshape({batch, tokens, width});
}

void check_tokens(Report& report, const Place& place) {
  const std::int64_t batch = 2, tokens = place.quick ? 9 : 144, width = place.quick ? 32 : 256;
  for (const at::ScalarType type : kTypes) {
    report.check("linear on tokens", precision_name(type), limit_of(type, 1e-9, 1e-4, 2e-2), [&](Comparison& c) {
      const Tensors inputs = {numbers({batch, tokens, width}, -1, 1, 20), numbers({3 * width, width}, -1, 1, 21),
                              numbers({3 * width}, -1, 1, 22)};
      const auto run = [&](at::Device device, at::ScalarType t) {
        return differentiate(
            [&](const Tensors& in) { return model::token_linear(in[0], in[1], in[2], t == at::kBFloat16); }, inputs, 1,
            device, t);
      };
      compare(c, "tokens", run(place.device, type), run(at::kCPU, at::kDouble), type);
    });
    report.check("attention", precision_name(type), limit_of(type, 1e-9, 1e-4, 2e-2), [&](Comparison& c) {
      const Tensors inputs = {numbers({batch, tokens, 3 * width}, -2, 2, 23)};
      for (const int heads : {1, 4})
        compare(c, std::to_string(heads) + " heads",
                differentiate([&](const Tensors& in) { return model::attention(in[0], heads); }, inputs, 1,
                              place.device, type),
                differentiate([&](const Tensors& in) { return attention_by_formula(in[0], heads); }, inputs, 1,
                              at::kCPU, at::kDouble),
                type);
    });
  }
}

// ---- pixels, optimizer ----------------------------------------------------------------------------------------------

void check_pixels(Report& report, const Place& place) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat})
    report.check("pixels to numbers", precision_name(type), limit_of(type, 1e-15, 1e-6), [&](Comparison& c) {
      const at::Tensor pixels = (at::arange(5 * 16 * 16 * 3, at::kLong) * 37 % 256).to(at::kByte).view({5, 16, 16, 3});
      const std::vector<double> mean = {123.675, 116.28, 103.53}, deviation = {58.395, 57.12, 57.375};
      const at::TensorOptions f64(at::kDouble);
      for (const bool bgr : {false, true}) {
        const at::Tensor source = (bgr ? pixels.flip(3) : pixels).to(at::kDouble);
        const at::Tensor want = ((source - at::tensor(mean, f64)) / at::tensor(deviation, f64)).permute({0, 3, 1, 2});
        const at::Tensor got = model::normalise_pixels(pixels.to(place.device), mean, deviation, bgr, type);
        c.add(bgr ? "blue first" : "red first", got, want, 1e-3);
        c.add_error("channels-last", got.is_contiguous(at::MemoryFormat::ChannelsLast) ? 0 : INFINITY);
      }
    });
}

// The formulas of row_rule.h, in f64.
void step_by_formula(const train::RowRule& o, at::Tensor& w, const at::Tensor& g, Tensors& buffers) {
  if (o.kind == train::RowRuleKind::kSgd) {
    const at::Tensor d = g + o.weight_decay * w;
    buffers[0] = o.momentum * buffers[0] + d;
    w = w - o.rate * (o.nesterov ? d + o.momentum * buffers[0] : buffers[0]);
  } else {
    buffers[0] = o.beta1 * buffers[0] + (1 - o.beta1) * g;
    buffers[1] = o.beta2 * buffers[1] + (1 - o.beta2) * g * g;
    w = w * (1 - o.rate * o.weight_decay) -
        o.rate / o.correction1 * buffers[0] / ((buffers[1] / o.correction2).sqrt() + o.epsilon);
  }
}

void check_optimizer(Report& report, const Place& place) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat})
    report.check("optimizer", precision_name(type), limit_of(type, 1e-12, 1e-4), [&](Comparison& c) {
      for (const int variant : {0, 1, 2}) {
        const train::OptimizerOptions o{.kind = variant == 2 ? train::RowRuleKind::kAdamW : train::RowRuleKind::kSgd,
                                        .nesterov = variant == 1};
        at::Tensor want = numbers({37, 129}, -1, 1, 24);
        const at::Tensor got = want.to(place.device, type, false, true), g = numbers({37, 129}, .1, 1, 25);
        Tensors buffers, tested;
        for (int i = 0; i < train::row_rule(o, 0, 0, 0).buffers(); ++i) {
          buffers.push_back(at::zeros_like(want));
          tested.push_back(at::zeros_like(got));
        }
        for (std::int64_t n = 0; n < 3; ++n) {
          const train::RowRule rule = train::row_rule(o, .1, .05, n);
          step_by_formula(rule, want, g * (n + 1.), buffers);
          train::fused_step(rule, got, (g * (n + 1.)).to(place.device, type), tested);
        }
        const std::string name = variant == 2 ? "AdamW" : variant == 1 ? "SGD, Nesterov" : "SGD";
        c.add(name, got, want);
        for (std::size_t i = 0; i < buffers.size(); ++i) c.add(name + ", buffer", tested[i], buffers[i]);
      }
    });
}

}  // namespace

void check_network_operators(Report& report, const Place& place) {
  check_norm(report, place);
  check_convolutions(report, place);
  check_tokens(report, place);
  check_pixels(report, place);
  check_optimizer(report, place);
}

}  // namespace likeness::gpu
