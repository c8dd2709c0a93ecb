// arcface_torch's iresnet.
#include <array>
#include <string>

#include "model/graph/backbone_table.h"

namespace likeness::model {
namespace {

// arcface_torch's iresnet: Conv-BN-PReLU, four stages of pre-activation blocks that each halve the size, BN, Linear,
// BN.
struct IResNet {
  const char* name;
  std::array<int, 4> blocks;
};
constexpr IResNet kIResNets[] = {{"r18", {2, 2, 2, 2}},
                                 {"r34", {3, 4, 6, 3}},
                                 {"r50", {3, 4, 14, 3}},
                                 {"r100", {3, 13, 30, 3}},
                                 {"r200", {6, 26, 60, 6}}};

int iresnet_block(GraphBuilder& g, const std::string& p, int x, int channels, int stride) {
  int y = g.batch_norm(p + ".bn1", x);
  y = g.conv(p + ".conv1", y, {.channels = channels, .kernel = 3, .padding = 1});
  y = g.batch_norm(p + ".bn2", y);
  y = g.prelu(p + ".prelu", y);
  y = g.conv(p + ".conv2", y, {.channels = channels, .kernel = 3, .stride = stride, .padding = 1});
  y = g.batch_norm(p + ".bn3", y);
  if (stride != 1 || g.shape(x)[0] != channels) {
    x = g.conv(p + ".downsample.0", x, {.channels = channels, .kernel = 1, .stride = stride});
    x = g.batch_norm(p + ".downsample.1", x);
  }
  return g.add(p + ".add", y, x);
}

}  // namespace

Graph build_iresnet(const BackboneOptions& options) {
  const IResNet& net = variant_of(kIResNets, options.name);
  GraphBuilder g(net.name, options.input, options.input);
  int x = g.conv("conv1", g.input(), {.channels = 64, .kernel = 3, .padding = 1});
  x = g.batch_norm("bn1", x);
  x = g.prelu("prelu", x);
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < net.blocks[stage]; ++block) {
      const std::string prefix = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      x = iresnet_block(g, prefix, x, 64 << stage, block == 0 ? 2 : 1);
    }
  }
  x = g.batch_norm("bn2", x);
  x = g.flatten("flatten", x);
  if (options.dropout > 0) x = g.dropout("dropout", x, options.dropout);
  x = g.linear("fc", x, options.embedding, true);
  x = g.batch_norm("features", x, 1e-5,
                   /*weight_trainable=*/false);  // frozen at 1, so that the head alone sets the scale
  return g.finish(x);
}

}  // namespace likeness::model
