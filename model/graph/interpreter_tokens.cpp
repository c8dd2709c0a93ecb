#include "model/graph/interpreter_tokens.h"

#include <algorithm>
#include <cmath>

#include "core/thread_pool.h"
#include "model/graph/interpreter_kernel.h"

namespace likeness::model {
namespace {

using Values = std::vector<double>;

// The columns of scores [T][kPanel] become softmax over T.
void softmax_columns(double* scores, std::int64_t count) {
  for (int j = 0; j < kPanel; ++j) {
    double largest = scores[j], sum = 0;
    for (std::int64_t t = 1; t < count; ++t) largest = std::max(largest, scores[t * kPanel + j]);
    for (std::int64_t t = 0; t < count; ++t) sum += scores[t * kPanel + j] = std::exp(scores[t * kPanel + j] - largest);
    for (std::int64_t t = 0; t < count; ++t) scores[t * kPanel + j] /= sum;
  }
}

// One head of one picture. `qkv` and `out` point at the head's first value of token 0; tokens stand `in_stride` and
// `out_stride` values apart, q, k and v `width` values.
struct Head {
  const double* qkv;
  double* out;
  std::int64_t tokens, size, width, in_stride, out_stride;
};

void attend(const Head& h) {
  Values keys(static_cast<std::size_t>(h.tokens * h.size)), values(keys.size()), mixed(h.size * kPanel);
  for (std::int64_t t = 0; t < h.tokens; ++t) {
    const double* token = h.qkv + t * h.in_stride;
    for (std::int64_t i = 0; i < h.size; ++i) {
      keys[t * h.size + i] = token[h.width + i];
      values[i * h.tokens + t] = token[2 * h.width + i];
    }
  }
  const Panel queries(h.size), scores(h.tokens);
  const double scale = 1 / std::sqrt(static_cast<double>(h.size));
  for (std::int64_t first = 0; first < h.tokens; first += kPanel) {
    const int width = static_cast<int>(std::min<std::int64_t>(kPanel, h.tokens - first));
    for (int j = 0; j < kPanel; ++j) {
      const double* token = h.qkv + (first + std::min(j, width - 1)) * h.in_stride;
      for (std::int64_t i = 0; i < h.size; ++i) queries.data[i * kPanel + j] = token[i] * scale;
    }
    multiply({.weights = keys.data(),
              .panel = queries.data,
              .bias = nullptr,
              .depth = h.size,
              .rows = h.tokens,
              .out_stride = kPanel,
              .pixels = kPanel,
              .out = scores.data});
    softmax_columns(scores.data, h.tokens);
    multiply({.weights = values.data(),
              .panel = scores.data,
              .bias = nullptr,
              .depth = h.tokens,
              .rows = h.size,
              .out_stride = kPanel,
              .pixels = kPanel,
              .out = mixed.data()});
    for (int j = 0; j < width; ++j) {
      double* token = h.out + (first + j) * h.out_stride;
      for (std::int64_t i = 0; i < h.size; ++i) token[i] = mixed[i * kPanel + j];
    }
  }
}

}  // namespace

void run_tokens(const Node& node, const Values& x, std::int64_t batch, Values* y) {
  const std::int64_t places = node.shape[0], channels = node.shape[1];
  y->resize(x.size());
  for (std::int64_t b = 0; b < batch; ++b) {
    const double* in = x.data() + b * places * channels;
    double* out = y->data() + b * places * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t t = 0; t < places; ++t) out[t * channels + c] = in[c * places + t];
    }
  }
}

void run_positions(const Values& parameter, const Values& x, Values* y) {
  y->resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) (*y)[i] = x[i] + parameter[i % parameter.size()];
}

void run_layer_norm(const Node& node, const Values& weight, const Values& bias, const Values& x, int threads,
                    Values* y) {
  const std::size_t size = static_cast<std::size_t>(node.shape[1]);
  y->resize(x.size());
  parallel_for(x.size() / size, 64, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const double* in = x.data() + t * size;
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < size; ++i) mean += in[i];
      mean /= static_cast<double>(size);
      for (std::size_t i = 0; i < size; ++i) variance += (in[i] - mean) * (in[i] - mean);
      const double scale = 1 / std::sqrt(variance / static_cast<double>(size) + node.epsilon);
      for (std::size_t i = 0; i < size; ++i) (*y)[t * size + i] = (in[i] - mean) * scale * weight[i] + bias[i];
    }
  });
}

void run_attention(const Node& node, const Values& x, std::int64_t batch, int threads, Values* y) {
  const std::int64_t tokens = node.shape[0], width = node.shape[1], size = width / node.heads;
  y->resize(static_cast<std::size_t>(batch * tokens * width));
  parallel_for(static_cast<std::size_t>(batch * node.heads), 1, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t w = begin; w < end; ++w) {
      const std::int64_t b = static_cast<std::int64_t>(w) / node.heads,
                         head = static_cast<std::int64_t>(w) % node.heads;
      attend({.qkv = x.data() + b * tokens * 3 * width + head * size,
              .out = y->data() + b * tokens * width + head * size,
              .tokens = tokens,
              .size = size,
              .width = width,
              .in_stride = 3 * width,
              .out_stride = width});
    }
  });
}

void run_relu6(const Values& x, Values* y) {
  y->resize(x.size());
  // A NaN stays one: the comparisons are false.
  std::transform(x.begin(), x.end(), y->begin(), [](double v) { return v < 0 ? 0 : v > 6 ? 6 : v; });
}

}  // namespace likeness::model
