// Weights out of nothing: the deterministic fill of the reference values, and the values training starts from.
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/rng.h"
#include "model/graph/backbone_table.h"
#include "model/graph/weights.h"

namespace likeness::model {
namespace {

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t state) : state_(state) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  double uniform(double low, double high) { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }

 private:
  std::uint64_t state_;
};

struct Range {
  double low, high;
};

std::int64_t inputs_per_output(const TensorSpec& spec) { return element_count(spec.shape) / spec.shape[0]; }

// First matching rule; the order matters.
Range fill_range(const TensorSpec& spec, const std::set<std::string>& names) {
  const std::string& name = spec.name;
  if (name.ends_with("running_mean")) return {-0.1, 0.1};
  if (name.ends_with("running_var")) return {0.8, 1.2};
  if (name.ends_with("pos_embed") || name.ends_with("mask_token")) return {-0.5, 0.5};
  if (spec.shape.size() >= 2) {
    const double a = std::sqrt(3.0 / static_cast<double>(inputs_per_output(spec)));
    return {-a, a};
  }
  if (name.ends_with(".bias")) return {-0.1, 0.1};
  if (name.ends_with(".bn3.weight")) return {0.2, 0.4};
  if (name.ends_with(".weight") && names.count(name.substr(0, name.size() - 6) + "bias") == 0) return {0.2, 0.3};
  return {0.8, 1.2};
}

WeightTensor zero_count(const TensorSpec& spec) {
  const std::int64_t zero = 0;
  return WeightTensor::i64(spec.shape, &zero);
}

template <class Draw>
WeightTensor drawn(const TensorSpec& spec, Draw draw) {
  std::vector<float> values(static_cast<std::size_t>(element_count(spec.shape)));
  for (float& v : values) v = static_cast<float>(draw());
  return WeightTensor::f32(spec.shape, values.data());
}

Start start_of(const Graph& graph) {
  const BackboneEntry* entry = find_backbone(graph.architecture);
  return entry == nullptr ? Start::kHe : entry->start;
}

// PyTorch's default for Conv and Linear: kaiming_uniform with a = sqrt(5), and the bias alike.
WeightTensor pytorch_default(const TensorSpec& spec, double inputs, Rng rng) {
  const double bound = 1 / std::sqrt(inputs);
  return drawn(spec, [&] { return rng.uniform(-bound, bound); });
}

WeightTensor initial_matrix(Start start, const Node& node, const TensorSpec& spec, Rng rng) {
  if (start == Start::kIResNet) {
    if (node.op == Op::kConv) return drawn(spec, [&] { return 0.1 * rng.normal(); });
    return pytorch_default(spec, static_cast<double>(spec.shape[1]), rng);
  }
  if (start == Start::kVit) {
    if (node.op == Op::kConv) return pytorch_default(spec, static_cast<double>(inputs_per_output(spec)), rng);
    return drawn(spec, [&] { return 0.02 * rng.normal(); });  // its truncation at +-2 is 100 deviations away
  }
  // PyTorch's fan out is O times the kernel's area, also for grouped convolutions.
  double fan_out = static_cast<double>(spec.shape[0]);
  if (node.op == Op::kConv) fan_out *= static_cast<double>(node.kernel_h * node.kernel_w);
  const double deviation = std::sqrt(2 / fan_out);
  return drawn(spec, [&] { return deviation * rng.normal(); });
}

// Biases that PyTorch draws like the weight beside them.
bool is_drawn_bias(Start start, const Node& node) {
  return (node.op == Op::kLinear && start == Start::kIResNet) || (node.op == Op::kConv && start == Start::kVit);
}

double initial_constant(const Node& node, const TensorSpec& spec) {
  if (node.op == Op::kPRelu) return 0.25;
  return spec.name.ends_with(".weight") || spec.name.ends_with(".running_var") ? 1 : 0;
}

}  // namespace

Weights deterministic_fill(const Graph& graph) {
  std::set<std::string> names;
  for (const TensorSpec& spec : graph.tensors) names.insert(spec.name);
  Weights weights;
  for (const TensorSpec& spec : graph.tensors) {
    if (spec.integer) {
      weights.tensors[spec.name] = zero_count(spec);
      continue;
    }
    SplitMix64 stream(fnv1a(spec.name));
    const Range range = fill_range(spec, names);
    weights.tensors[spec.name] = drawn(spec, [&] { return stream.uniform(range.low, range.high); });
  }
  return weights;
}

Weights initial_weights(const Graph& graph, std::uint64_t seed) {
  std::map<std::string, const Node*> owners;  // parameter prefix -> node
  for (const Node& node : graph.nodes) {
    if (!node.prefix.empty()) owners[node.prefix] = &node;
  }
  const Start start = start_of(graph);
  Weights weights;
  for (const TensorSpec& spec : graph.tensors) {
    const auto owner = owners.find(spec.name.substr(0, spec.name.rfind('.')));
    LIKENESS_ASSERT(owner != owners.end());
    const Node& node = *owner->second;
    const Rng rng(seed, Purpose::kWeights, 0, fnv1a(spec.name));
    WeightTensor& t = weights.tensors[spec.name];
    if (spec.integer) {
      t = zero_count(spec);
    } else if (spec.shape.size() >= 2) {
      t = initial_matrix(start, node, spec, rng);
    } else if (is_drawn_bias(start, node)) {
      const std::int64_t channels = graph.nodes[node.inputs[0]].shape[0];
      const std::int64_t area = node.op == Op::kConv ? node.kernel_h * node.kernel_w : 1;
      t = pytorch_default(spec, static_cast<double>(channels * area), rng);
    } else {
      const double value = initial_constant(node, spec);
      t = drawn(spec, [&] { return value; });
    }
  }
  return weights;
}

}  // namespace likeness::model
