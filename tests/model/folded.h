// A network as an exporter leaves it: batch norms folded into the convolutions before them.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

struct Folded {
  Graph graph;
  Weights weights;
  int count = 0;
};

// Arithmetic in f64, rounded to f32 at the end, as exporters do it in f32.
inline Folded fold(const Graph& graph, const Weights& weights) {
  Folded out;
  out.weights = weights;
  GraphBuilder builder("onnx", graph.input_height, graph.input_width);
  std::vector<int> place(graph.nodes.size());
  const auto values = [&](const Node& node, const char* what) { return weights.at(node.parameter(what)).as_double(); };
  const auto put = [&](const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<double>& v) {
    const std::vector<float> narrow(v.begin(), v.end());
    out.weights.tensors[name] = WeightTensor::f32(shape, narrow.data());
  };
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    Node node = graph.nodes[i];
    const Node& before = graph.nodes[static_cast<std::size_t>(node.inputs[0])];
    std::vector<int> inputs;
    for (int input : node.inputs) inputs.push_back(place[static_cast<std::size_t>(input)]);
    if (node.op == Op::kBatchNorm && before.op == Op::kConv) {
      const auto scale = values(node, "weight"), shift = values(node, "bias"), mean = values(node, "running_mean"),
                 variance = values(node, "running_var");
      std::vector<double> w = values(before, "weight"), b(scale.size());
      const std::size_t each = w.size() / scale.size();
      for (std::size_t c = 0; c < scale.size(); ++c) {
        const double s = scale[c] / std::sqrt(variance[c] + node.epsilon);
        for (std::size_t k = 0; k < each; ++k) w[c * each + k] *= s;
        b[c] = shift[c] - mean[c] * s;
      }
      put(before.parameter("weight"), weights.at(before.parameter("weight")).shape, w);
      put(before.parameter("bias"), {static_cast<std::int64_t>(b.size())}, b);
      for (const char* what : {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
        out.weights.tensors.erase(node.parameter(what));
      place[i] = inputs[0];
      ++out.count;
      continue;
    }
    bool norm_follows = false;
    for (const Node& after : graph.nodes)
      norm_follows = norm_follows || (after.op == Op::kBatchNorm && after.inputs[0] == static_cast<int>(i));
    if (node.op == Op::kConv && norm_follows) node.bias = true;
    place[i] = builder.repeat(node, inputs);
  }
  out.graph = builder.finish(place.back());
  return out;
}

// Convolutions, a depthwise one, a residual sum, two activations: none of the backbones.
inline Graph small_foreign_graph() {
  GraphBuilder g("test", 16, 16);
  int x = g.prelu("p1",
                  g.batch_norm("b1", g.conv("c1", g.input(), {.channels = 8, .kernel = 3, .stride = 2, .padding = 1})));
  int y = g.relu("r2", g.batch_norm("b2", g.conv("c2", x, {.channels = 8, .kernel = 3, .padding = 1, .groups = 8})));
  y = g.batch_norm("b3", g.conv("c3", y, {.channels = 8, .kernel = 1}));
  x = g.relu6("r4", g.add("a4", x, y));
  x = g.batch_norm("b5", g.conv("c5", x, {.channels = 6, .kernel = 8}));
  return g.finish(g.flatten("f6", x));
}

}  // namespace likeness::model
