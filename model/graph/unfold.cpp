#include "model/graph/unfold.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "model/graph/interpreter.h"

namespace likeness::model {
namespace {

std::vector<std::vector<Op>> readers_of(const Graph& graph) {
  std::vector<std::vector<Op>> readers(graph.nodes.size());
  for (const Node& node : graph.nodes)
    for (int input : node.inputs) readers[input].push_back(node.op);
  return readers;
}

// Exporters fold every batch norm that follows a convolution, or none.
bool is_folded(const Graph& graph, const std::vector<std::vector<Op>>& readers) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].op == Op::kConv && std::count(readers[i].begin(), readers[i].end(), Op::kBatchNorm) > 0)
      return false;
  return true;
}

// Weight and variance whose batch norm is the identity: weight / sqrt(variance + epsilon) = 1 as nearly as f32 numbers
// allow. Weights just below 1 are tried one by one: their squares fall between the variances' grid points in turn.
struct Identity {
  float weight = 1, variance = 1;
};
Identity identity_for(double epsilon) {
  constexpr int kTried = 4096;
  constexpr double kGoodEnough = 1e-12;
  Identity best;
  double least = INFINITY;
  for (int k = 0; k < kTried && least > kGoodEnough; ++k) {
    const float weight = static_cast<float>(1 - k * 0x1p-24);
    const float variance = static_cast<float>(static_cast<double>(weight) * weight - epsilon);
    const double error = std::abs(weight / std::sqrt(variance + epsilon) - 1);
    if (error < least) least = error, best = {weight, variance};
  }
  return best;
}

WeightTensor filled(std::int64_t count, float value) {
  const std::vector<float> values(static_cast<std::size_t>(count), value);
  return WeightTensor::f32({count}, values.data());
}

}  // namespace

std::vector<std::string> restore_batch_norms(Graph* graph, Weights* weights, double epsilon) {
  const auto readers = readers_of(*graph);
  if (!is_folded(*graph, readers)) return {};
  std::set<std::string> names;
  for (const Node& node : graph->nodes) names.insert(node.name);
  const Identity identity = identity_for(epsilon);
  GraphBuilder builder(graph->architecture, graph->input_height, graph->input_width);
  std::vector<int> place(graph->nodes.size(), 0);
  std::vector<std::string> restored;
  for (std::size_t i = 1; i < graph->nodes.size(); ++i) {
    Node node = graph->nodes[i];
    std::vector<int> inputs;
    for (int input : node.inputs) inputs.push_back(place[input]);
    const bool tokens = std::count(readers[i].begin(), readers[i].end(), Op::kTokens) > 0;
    const bool restore = node.op == Op::kConv && node.bias && !tokens;
    if (restore) node.bias = false;
    place[i] = builder.repeat(node, inputs);
    if (!restore) continue;
    std::string name = node.prefix + "_bn";
    while (!names.insert(name).second) name += '_';
    place[i] = builder.batch_norm(name, place[i], epsilon);
    const std::int64_t channels = node.shape[0], zero = 0;
    const auto bias = weights->tensors.find(node.prefix + ".bias");
    LIKENESS_ASSERT(bias != weights->tensors.end());
    weights->tensors[name + ".bias"] = std::move(bias->second);
    weights->tensors.erase(bias);
    weights->tensors[name + ".weight"] = filled(channels, identity.weight);
    weights->tensors[name + ".running_mean"] = filled(channels, 0);
    weights->tensors[name + ".running_var"] = filled(channels, identity.variance);
    weights->tensors[name + ".num_batches_tracked"] = WeightTensor::i64({}, &zero);
    restored.push_back(name);
  }
  if (restored.empty()) return {};
  const std::map<std::string, std::string> options = graph->options;
  *graph = builder.finish(place.back());
  graph->options = options;
  return restored;
}

namespace {

// Sum and sum of squares of every channel of a node's output.
struct Moments {
  std::vector<double> sum, squares;
  double count = 0;
  void add(const std::vector<double>& values, std::int64_t batch, const std::vector<std::int64_t>& shape) {
    const std::size_t channels = static_cast<std::size_t>(shape[0]),
                      places = static_cast<std::size_t>(element_count(shape)) / channels;
    sum.resize(channels), squares.resize(channels);
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch); ++b)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < places; ++i) {
          const double v = values[(b * channels + c) * places + i];
          sum[c] += v, squares[c] += v * v;
        }
    count += static_cast<double>(batch) * static_cast<double>(places);
  }
};

void restate(const Node& norm, const Moments& m, Weights* weights) {
  WeightTensor* tensors[] = {
      &weights->tensors.at(norm.parameter("weight")), &weights->tensors.at(norm.parameter("bias")),
      &weights->tensors.at(norm.parameter("running_mean")), &weights->tensors.at(norm.parameter("running_var"))};
  std::vector<double> old[4];
  std::vector<float> now[4];
  for (int k = 0; k < 4; ++k) old[k] = tensors[k]->as_double(), now[k].resize(old[k].size());
  for (std::size_t c = 0; c < m.sum.size(); ++c) {
    const double mean = m.sum[c] / m.count;
    // Divided by N - 1, as PyTorch's running variance; a channel that never changes keeps a variance of 0.
    const double variance = std::max(0.0, m.squares[c] - m.count * mean * mean) / std::max(1.0, m.count - 1);
    const double scale = old[0][c] / std::sqrt(old[3][c] + norm.epsilon);
    now[2][c] = static_cast<float>(mean);
    now[3][c] = static_cast<float>(variance);
    // From the rounded statistics, so that what rounding takes from them weight and bias give back.
    now[0][c] = static_cast<float>(scale * std::sqrt(now[3][c] + norm.epsilon));
    now[1][c] = static_cast<float>(old[1][c] + scale * (now[2][c] - old[2][c]));
  }
  for (int k = 0; k < 4; ++k) *tensors[k] = WeightTensor::f32(tensors[k]->shape, now[k].data());
}

}  // namespace

void restate_batch_norms(const Graph& graph, Weights* weights, const std::vector<std::string>& prefixes,
                         const std::vector<double>& pictures, std::int64_t count, int threads) {
  const std::set<std::string> wanted(prefixes.begin(), prefixes.end());
  const std::size_t picture = static_cast<std::size_t>(element_count(graph.nodes[0].shape));
  LIKENESS_ASSERT(count >= 1 && pictures.size() == picture * static_cast<std::size_t>(count));
  const Interpreter interpreter(graph, *weights);
  std::map<std::size_t, Moments> moments;
  // One picture at a time: every node's output is kept, 200 MB for r50 at 112 pixels.
  for (std::int64_t b = 0; b < count; ++b) {
    const auto first = pictures.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(b) * picture);
    std::vector<std::vector<double>> taps;
    interpreter.run({first, first + static_cast<std::ptrdiff_t>(picture)}, 1, threads, &taps);
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].op != Op::kBatchNorm || wanted.count(graph.nodes[i].prefix) == 0) continue;
      const auto input = static_cast<std::size_t>(graph.nodes[i].inputs[0]);
      moments[i].add(taps[input], 1, graph.nodes[input].shape);
    }
  }
  for (const auto& [i, m] : moments) restate(graph.nodes[i], m, weights);
}

}  // namespace likeness::model
