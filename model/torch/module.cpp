#include "model/torch/module.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "core/error.h"
#include "model/torch/convolution.h"
#include "model/torch/module_state.h"
#include "model/torch/tensors.h"
#include "model/torch/tokens.h"

namespace likeness::model {

TorchModel::TorchModel(Graph graph, const Weights& weights, at::ScalarType dtype) : state_(std::make_unique<State>()) {
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kDouble, "a network computes in f32 or f64, not in ", dtype);
  State& s = *state_;
  s.graph = std::move(graph);
  s.dtype = dtype;
  s.plan = make_plan(s.graph);
  check_weights(s.graph, weights, "initial weights");
  for (const TensorSpec& spec : s.graph.tensors) {
    const WeightTensor& stored = weights.tensors.at(spec.name);
    if (spec.integer) {
      s.counters[spec.name] = static_cast<std::int64_t>(stored.as_double().at(0));
      continue;
    }
    at::Tensor t = to_tensor(stored, dtype, spec.name);
    if (spec.parameter && spec.trainable) {
      t.set_requires_grad(true);
      s.parameters.emplace_back(spec.name, t);
    }
    s.tensors.emplace(spec.name, std::move(t));
  }
}

TorchModel::~TorchModel() = default;

NormParameters TorchModel::State::norm_parameters(const Step& step) {
  const Node& node = graph.nodes[step.node];
  NormParameters p{.gamma = tensor(node, "weight"),
                   .beta = tensor(node, "bias"),
                   .running_mean = tensor(node, "running_mean"),
                   .running_var = tensor(node, "running_var"),
                   .slope = {},
                   .epsilon = node.epsilon,
                   .momentum = again ? 0 : node.momentum,
                   .training = training && !frozen_statistics,
                   .ranks = ranks};
  if (step.prelu >= 0) p.slope = tensor(graph.nodes[step.prelu], "weight");
  if (p.training && !again) {
    const auto counter = counters.find(node.prefix + ".num_batches_tracked");
    if (counter != counters.end()) ++counter->second;
  }
  return p;
}

at::Tensor TorchModel::State::drop(const at::Tensor& x, const Node& node, int index) const {
  const double p = node.dropout;
  if (!training || p <= 0) return x;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(chance(index).next_u64());
  std::vector<std::int64_t> sizes = x.sizes().vec();
  if (node.whole) std::fill(sizes.begin() + 1, sizes.end(), 1);
  // In f32 even for bf16 values: 1 / (1 - p) has more than 8 bits.
  const at::Tensor mask = at::empty(sizes, dtype).bernoulli_(1 - p, generator).div_(1 - p);
  return x * mask.to(x.device());
}

at::Tensor TorchModel::State::kept(const at::Tensor& x, int mask_node) const {
  const Node& mask = graph.nodes[mask_node];
  return kept_tokens(x.size(0), mask.shape[0], mask.dropout, chance(mask_node));
}

at::Tensor TorchModel::State::run(const Step& current, const std::vector<at::Tensor>& values) {
  const Node& node = graph.nodes[current.node];
  const at::Tensor& x = values[current.input];
  switch (current.op) {
    case Op::kConv:
      return convolution(x, tensor(node, "weight"), node.bias ? tensor(node, "bias") : at::Tensor(),
                         {.stride = node.stride, .padding = node.padding, .groups = node.groups});
    case Op::kBatchNorm:
      return norm(x, current.other >= 0 ? values[current.other] : at::Tensor(), norm_parameters(current));
    case Op::kPRelu:
      return at::prelu(x, tensor(node, "weight").to(x.scalar_type()));
    case Op::kAdd:
      return x + values[current.other];
    case Op::kFlatten:
      return x.contiguous().flatten(1).to(dtype);  // bf16 and fp16 end here
    case Op::kLinear:
      return token_linear(x, tensor(node, "weight"), node.bias ? tensor(node, "bias") : at::Tensor(),
                          bf16 && x.dim() == 3);
    case Op::kDropout:
      return drop(x, node, current.node);
    case Op::kTokens:
      return tokens_of(x);
    case Op::kPositions:
      return x + tensor(node, "");  // bf16 becomes f32: so does all that is later added to it
    case Op::kMaskTokens:
      return training ? take_tokens(x, kept(x, current.node)) : x;
    case Op::kRestoreTokens:
      return training ? put_tokens(x, kept(x, current.other), tensor(node, ""), node.shape[0]) : x;
    case Op::kLayerNorm:
      return at::layer_norm(x, {node.shape[1]}, tensor(node, "weight"), tensor(node, "bias"), node.epsilon);
    case Op::kAttention:
      return attention(x, node.heads);
    case Op::kRelu6:
      return at::relu6(x);
    case Op::kRelu:
      return at::relu(x);
    case Op::kInput:  // no step
      break;
  }
  LIKENESS_ASSERT(!"unknown step");
  return {};
}

at::Tensor TorchModel::State::first_value(const at::Tensor& images) const {
  const at::Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  return bf16 || fp16 ? x.to(bf16 ? at::kBFloat16 : at::kHalf) : x;
}

template <class Visit>
at::Tensor TorchModel::State::evaluate(const at::Tensor& images, Visit visit) {
  std::vector<at::Tensor> values(graph.nodes.size());
  values[0] = first_value(images);
  for (const Step& step : plan) {
    values[step.output] = run(step, values);
    visit(step, values[step.output]);
    for (int dead : step.dies) values[dead].reset();
  }
  return values.back().to(dtype);
}

at::Tensor TorchModel::forward(const at::Tensor& images) {
  State& s = *state_;
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.size(2) == s.graph.input_height &&
                  images.size(3) == s.graph.input_width && images.scalar_type() == s.dtype,
              "images: want ", s.dtype, " [B,3,", s.graph.input_height, ",", s.graph.input_width, "], got ",
              images.scalar_type(), " ", images.sizes());
  const bool in_pieces = s.recompute && s.training && at::GradMode::is_enabled();
  const at::Tensor embeddings =
      in_pieces ? s.evaluate_in_pieces(images) : s.evaluate(images, [](const Step&, const at::Tensor&) {});
  if (s.training) ++s.step;
  return embeddings;
}

void TorchModel::train(bool on) { state_->training = on; }
bool TorchModel::is_training() const { return state_->training; }

void TorchModel::freeze_statistics(bool on) { state_->frozen_statistics = on; }
void TorchModel::share_statistics(SumOverRanks over_ranks) {
  state_->ranks = std::make_shared<const SumOverRanks>(std::move(over_ranks));
}

void TorchModel::set_bf16(bool on) {
  TORCH_CHECK(!on || state_->dtype == at::kFloat, "bf16 is a way to compute an f32 network");
  state_->bf16 = on;
}

void TorchModel::set_fp16(bool on) {
  TORCH_CHECK(!on || state_->dtype == at::kFloat, "fp16 is a way to compute an f32 network");
  state_->fp16 = on;
}

void TorchModel::set_recompute(bool on) {
  state_->recompute = on;
  if (on) state_->cut_into_pieces();
}

void TorchModel::seed_dropout(std::uint64_t seed, std::int64_t step) {
  state_->dropout_seed = seed;
  state_->step = step;
}

void TorchModel::remember_statistics() {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  if (s.statistics.empty())
    for (const TensorSpec& spec : s.graph.tensors)
      if (!spec.parameter && !spec.integer) s.statistics.emplace_back(s.tensors.at(spec.name), at::Tensor());
  for (auto& [now, then] : s.statistics) then.defined() ? (void)then.copy_(now) : (void)(then = now.clone());
  s.remembered_counters = s.counters;
}

void TorchModel::restore_statistics() {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  for (auto& [now, then] : s.statistics) now.copy_(then);
  s.counters = s.remembered_counters;
}

std::string TorchModel::first_non_finite(const at::Tensor& images) {
  State& s = *state_;
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : s.tensors)
    if (!at::isfinite(tensor).all().item<bool>()) return "parameter " + name;
  remember_statistics();
  std::string found;
  s.evaluate(images, [&](const Step& step, const at::Tensor& output) {
    if (found.empty() && !at::isfinite(output).all().item<bool>())
      found = "output of " + s.graph.nodes[step.output].name;
  });
  restore_statistics();
  return found;
}

const Graph& TorchModel::graph() const { return state_->graph; }
const std::vector<std::pair<std::string, at::Tensor>>& TorchModel::parameters() const { return state_->parameters; }

const std::map<std::string, at::Tensor>& TorchModel::tensors() const { return state_->tensors; }

Weights TorchModel::state() const {
  Weights out;
  copy_state(&out);
  return out;
}

void TorchModel::copy_state(Weights* out) const {
  for (const auto& [name, tensor] : state_->tensors) copy_tensor(tensor, &out->tensors[name]);
  for (const auto& [name, value] : state_->counters) out->tensors[name] = WeightTensor::i64({}, &value);
}

void TorchModel::load(const Weights& weights, const std::string& where) {
  State& s = *state_;
  check_weights(s.graph, weights, where);
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : s.tensors)
    tensor.copy_(to_tensor(weights.tensors.at(name), s.dtype, where + ", " + name));
  for (auto& [name, value] : s.counters) value = static_cast<std::int64_t>(weights.tensors.at(name).as_double().at(0));
}

void TorchModel::to(at::Device device) {
  for (auto& [name, tensor] : state_->tensors) tensor.set_data(tensor.to(device));
}

}  // namespace likeness::model
