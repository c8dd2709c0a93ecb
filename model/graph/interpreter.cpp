#include "model/graph/interpreter.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/thread_pool.h"
#include "model/graph/interpreter_kernel.h"
#include "model/graph/interpreter_tokens.h"

namespace likeness::model {
namespace {

using Values = std::vector<double>;

// The panel's columns are output pixels [first, first + pixels); its rows run over (channel of the group, kernel row,
// kernel column).
void pack(const Node& node, const std::vector<std::int64_t>& in, const double* group, std::int64_t channels,
          std::int64_t first, int pixels, double* panel) {
  std::int64_t top[kPanel], left[kPanel];
  for (int j = 0; j < kPanel; ++j) {
    const std::int64_t pixel = first + std::min(j, pixels - 1);
    top[j] = pixel / node.shape[2] * node.stride - node.padding;
    left[j] = pixel % node.shape[2] * node.stride - node.padding;
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    const double* plane = group + c * in[1] * in[2];
    for (int ky = 0; ky < node.kernel_h; ++ky) {
      for (int kx = 0; kx < node.kernel_w; ++kx, panel += kPanel) {
        for (int j = 0; j < kPanel; ++j) {
          const std::int64_t y = top[j] + ky, x = left[j] + kx;
          const bool inside = y >= 0 && y < in[1] && x >= 0 && x < in[2];
          panel[j] = inside ? plane[y * in[2] + x] : 0;
        }
      }
    }
  }
}

// f(channel, x, y, size) over the contiguous values of every channel of every picture.
template <class F>
void each_channel(const Node& node, std::int64_t batch, int threads, const Values& x, Values* y, F f) {
  const std::int64_t channels = node.shape[0], size = element_count(node.shape) / channels;
  y->resize(x.size());
  parallel_for(static_cast<std::size_t>(batch * channels), 64, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) f(i % channels, x.data() + i * size, y->data() + i * size, size);
  });
}

void batch_norm(const Node& node, const std::vector<Values>& p, const Values& x, std::int64_t batch, int threads,
                Values* y) {
  each_channel(node, batch, threads, x, y, [&](std::size_t c, const double* in, double* out, std::int64_t size) {
    const double scale = p[0][c] / std::sqrt(p[3][c] + node.epsilon), mean = p[2][c], bias = p[1][c];
    for (std::int64_t i = 0; i < size; ++i) out[i] = (in[i] - mean) * scale + bias;
  });
}

void prelu(const Node& node, const std::vector<Values>& p, const Values& x, std::int64_t batch, int threads,
           Values* y) {
  each_channel(node, batch, threads, x, y, [&](std::size_t c, const double* in, double* out, std::int64_t size) {
    const double slope = p[0][c];
    for (std::int64_t i = 0; i < size; ++i) out[i] = in[i] >= 0 ? in[i] : slope * in[i];
  });
}

}  // namespace

Interpreter::Interpreter(Graph graph, const Weights& weights, const std::string& where) : graph_(std::move(graph)) {
  check_weights(graph_, weights, where);
  params_.resize(graph_.nodes.size());
  last_use_.assign(graph_.nodes.size(), -1);
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    for (const char* what : parameter_names(node)) params_[i].push_back(weights.at(node.parameter(what)).as_double());
    for (int input : node.inputs) last_use_[input] = static_cast<int>(i);
  }
}

void Interpreter::conv(const Node& node, const std::vector<Values>& params, const Values& x, std::int64_t batch,
                       int threads, Values* y) const {
  const std::vector<std::int64_t>& in = graph_.nodes[node.inputs[0]].shape;
  const std::int64_t channels = in[0] / node.groups, rows = node.shape[0] / node.groups;
  const std::int64_t pixels = node.shape[1] * node.shape[2], panels = (pixels + kPanel - 1) / kPanel;
  const std::int64_t depth = channels * node.kernel_h * node.kernel_w;
  y->resize(static_cast<std::size_t>(batch * node.shape[0] * pixels));
  const std::size_t work = static_cast<std::size_t>(batch * node.groups * panels);
  // One slice packs several panels into the same buffer. 16 of them outweigh a slice's bookkeeping.
  parallel_for(work, 16, threads, [&](std::size_t begin, std::size_t end) {
    const Panel panel(depth);
    for (std::size_t w = begin; w < end; ++w) {
      const std::int64_t first = static_cast<std::int64_t>(w % panels) * kPanel;
      const std::int64_t group =
          static_cast<std::int64_t>(w / panels);  // over pictures and groups: both are contiguous
      const int width = static_cast<int>(std::min<std::int64_t>(kPanel, pixels - first));
      pack(node, in, x.data() + group * channels * in[1] * in[2], channels, first, width, panel.data);
      const std::int64_t row = group % node.groups * rows;
      multiply({.weights = params[0].data() + row * depth,
                .panel = panel.data,
                .bias = node.bias ? params[1].data() + row : nullptr,
                .depth = depth,
                .rows = rows,
                .out_stride = pixels,
                .pixels = width,
                .out = y->data() + group * rows * pixels + first});
    }
  });
}

void Interpreter::linear(const Node& node, const std::vector<Values>& params, const Values& x, std::int64_t batch,
                         int threads, Values* y) const {
  const std::int64_t inputs = graph_.nodes[node.inputs[0]].shape.back(), outputs = node.shape.back();
  const std::int64_t rows = batch * element_count(node.shape) / outputs;  // pictures, or tokens of all pictures
  // Here the panel's columns are rows of x, so eight of them read the weights once. A panel is packed anew for every
  // kBlock outputs: 1/kBlock of the products' cost, and one picture alone keeps all threads busy.
  constexpr std::int64_t kBlock = 64;
  const std::int64_t blocks = (outputs + kBlock - 1) / kBlock, panels = (rows + kPanel - 1) / kPanel;
  y->resize(static_cast<std::size_t>(rows * outputs));
  parallel_for(static_cast<std::size_t>(panels * blocks), 1, threads, [&](std::size_t begin, std::size_t end) {
    const Panel panel(inputs);
    double columns[kBlock * kPanel];
    for (std::size_t w = begin; w < end; ++w) {
      const std::int64_t first = static_cast<std::int64_t>(w) / blocks * kPanel,
                         output = static_cast<std::int64_t>(w) % blocks * kBlock,
                         count = std::min(kBlock, outputs - output);
      const int width = static_cast<int>(std::min<std::int64_t>(kPanel, rows - first));
      for (std::int64_t i = 0; i < inputs; ++i) {
        for (int j = 0; j < kPanel; ++j) panel.data[i * kPanel + j] = j < width ? x[(first + j) * inputs + i] : 0;
      }
      multiply({.weights = params[0].data() + output * inputs,
                .panel = panel.data,
                .bias = node.bias ? params[1].data() + output : nullptr,
                .depth = inputs,
                .rows = count,
                .out_stride = kPanel,
                .pixels = kPanel,
                .out = columns});
      for (int j = 0; j < width; ++j) {
        for (std::int64_t o = 0; o < count; ++o) (*y)[(first + j) * outputs + output + o] = columns[o * kPanel + j];
      }
    }
  });
}

std::vector<double> Interpreter::run(const std::vector<double>& input, std::int64_t batch, int threads,
                                     std::vector<std::vector<double>>* taps) const {
  LIKENESS_ASSERT(batch >= 1 &&
                  static_cast<std::int64_t>(input.size()) == batch * element_count(graph_.nodes[0].shape));
  threads = resolve_threads(threads);
  const int last = static_cast<int>(graph_.nodes.size()) - 1;
  std::vector<Values> values(graph_.nodes.size());
  values[0] = input;
  for (int i = 1; i <= last; ++i) {
    const Node& node = graph_.nodes[i];
    const Values& x = values[node.inputs[0]];
    switch (node.op) {
      case Op::kConv:
        conv(node, params_[i], x, batch, threads, &values[i]);
        break;
      case Op::kLinear:
        linear(node, params_[i], x, batch, threads, &values[i]);
        break;
      case Op::kBatchNorm:
        batch_norm(node, params_[i], x, batch, threads, &values[i]);
        break;
      case Op::kPRelu:
        prelu(node, params_[i], x, batch, threads, &values[i]);
        break;
      case Op::kAdd:
        values[i] = x;
        std::transform(x.begin(), x.end(), values[node.inputs[1]].begin(), values[i].begin(), std::plus<>());
        break;
      case Op::kTokens:
        run_tokens(node, x, batch, &values[i]);
        break;
      case Op::kPositions:
        run_positions(params_[i][0], x, &values[i]);
        break;
      case Op::kLayerNorm:
        run_layer_norm(node, params_[i][0], params_[i][1], x, threads, &values[i]);
        break;
      case Op::kAttention:
        run_attention(node, x, batch, threads, &values[i]);
        break;
      case Op::kRelu6:
        run_relu6(x, &values[i]);
        break;
      case Op::kRelu:
        values[i] = x;
        for (double& v : values[i]) v = std::max(v, 0.0);
        break;
      case Op::kFlatten:
      case Op::kDropout:
      case Op::kMaskTokens:
      case Op::kRestoreTokens:
        values[i] = x;
        break;
      case Op::kInput:
        LIKENESS_ASSERT(false);
    }
    for (int used : node.inputs) {
      if (taps == nullptr && last_use_[used] == i) Values().swap(values[used]);
    }
  }
  std::vector<double> output = values[last];
  if (taps != nullptr) *taps = std::move(values);
  return output;
}

}  // namespace likeness::model
