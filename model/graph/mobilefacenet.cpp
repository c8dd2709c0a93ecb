// arcface_torch's MobileFaceNet.
#include <array>
#include <string>

#include "model/graph/backbone_table.h"

namespace likeness::model {
namespace {

// arcface_torch's MobileFaceNet: `scale` widens every layer, `blocks` are the lengths of its residual stages.
struct MobileFaceNet {
  const char* name;
  std::array<int, 4> blocks;
  int scale;
};
constexpr MobileFaceNet kMobileFaceNets[] = {{"mbf", {1, 4, 6, 2}, 2}, {"mbf_large", {2, 8, 12, 4}, 4}};

int conv_block(GraphBuilder& g, const std::string& p, int x, GraphBuilder::Conv c) {
  x = g.conv(p + ".layers.0", x, c);
  x = g.batch_norm(p + ".layers.1", x);
  return g.prelu(p + ".layers.2", x);
}

int linear_block(GraphBuilder& g, const std::string& p, int x, GraphBuilder::Conv c) {
  x = g.conv(p + ".layers.0", x, c);
  return g.batch_norm(p + ".layers.1", x);
}

// Expand to `width`, filter each channel by itself, project to `channels`.
int depthwise(GraphBuilder& g, const std::string& p, int x, int channels, int width, int stride, bool residual) {
  int y = conv_block(g, p + ".layers.0", x, {.channels = width, .kernel = 1});
  y = conv_block(g, p + ".layers.1", y,
                 {.channels = width, .kernel = 3, .stride = stride, .padding = 1, .groups = width});
  y = linear_block(g, p + ".layers.2", y, {.channels = channels, .kernel = 1});
  return residual ? g.add(p + ".add", x, y) : y;
}

int residuals(GraphBuilder& g, const std::string& p, int x, int channels, int width, int blocks) {
  for (int i = 0; i < blocks; ++i) x = depthwise(g, p + ".layers." + std::to_string(i), x, channels, width, 1, true);
  return x;
}

}  // namespace

Graph build_mobilefacenet(const BackboneOptions& options) {
  const MobileFaceNet& net = variant_of(kMobileFaceNets, options.name);
  GraphBuilder g(net.name, options.input, options.input);
  const int c1 = 64 * net.scale, c2 = 128 * net.scale;
  int x = conv_block(g, "layers.0", g.input(), {.channels = c1, .kernel = 3, .stride = 2, .padding = 1});
  if (net.blocks[0] == 1) {
    // 64 groups whatever the scale: with scale 2 this layer is grouped, not depthwise. Kept: published weights have it.
    x = conv_block(g, "layers.1", x, {.channels = c1, .kernel = 3, .padding = 1, .groups = 64});
  } else {
    x = residuals(g, "layers.1", x, c1, 128, net.blocks[0]);
  }
  x = depthwise(g, "layers.2", x, c1, 128, 2, false);
  x = residuals(g, "layers.3", x, c1, 128, net.blocks[1]);
  x = depthwise(g, "layers.4", x, c2, 256, 2, false);
  x = residuals(g, "layers.5", x, c2, 256, net.blocks[2]);
  x = depthwise(g, "layers.6", x, c2, 512, 2, false);
  x = residuals(g, "layers.7", x, c2, 256, net.blocks[3]);
  x = conv_block(g, "conv_sep", x, {.channels = 512, .kernel = 1});
  // Global depthwise convolution: one learnt weight per place and channel instead of a mean.
  x = linear_block(g, "features.layers.0", x, {.channels = 512, .kernel = options.input / 16, .groups = 512});
  x = g.flatten("features.layers.1", x);
  x = g.linear("features.layers.2", x, options.embedding, false);
  x = g.batch_norm("features.layers.3", x);
  return g.finish(x);
}

}  // namespace likeness::model
