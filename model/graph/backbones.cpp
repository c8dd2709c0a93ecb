#include "model/graph/backbones.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/graph/vit.h"

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

// arcface_torch's MobileFaceNet: `scale` widens every layer, `blocks` are the lengths of its residual stages.
struct MobileFaceNet {
  const char* name;
  std::array<int, 4> blocks;
  int scale;
};
constexpr MobileFaceNet kMobileFaceNets[] = {{"mbf", {1, 4, 6, 2}, 2}, {"mbf_large", {2, 8, 12, 4}, 4}};

constexpr int kLargestInput = 1024, kLargestEmbedding = 65536;

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

Graph build(const IResNet& net, const BackboneOptions& options) {
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

Graph build(const MobileFaceNet& net, const BackboneOptions& options) {
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

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// The shortest text that reads back as the same double.
std::string number(double value) { return nlohmann::json(value).dump(); }

void check_input(const BackboneOptions& o) {
  if (o.input < 16 || o.input > kLargestInput || o.input % 16 != 0) {
    fail_usage({"input size does not fit the backbone", "backbone " + o.name, "a multiple of 16 from 16 to 1024 pixels",
                std::to_string(o.input), "112 is the field's size"});
  }
}

void check(const BackboneOptions& o, bool has_dropout) {
  if (o.embedding < 1 || o.embedding > kLargestEmbedding) {
    fail_usage({"embedding size out of range", "backbone " + o.name, "1 to 65536", std::to_string(o.embedding),
                "512 is usual"});
  }
  if (!(o.dropout >= 0 && o.dropout < 1)) {
    fail_usage(
        {"dropout out of range", "backbone " + o.name, "a probability in [0, 1)", std::to_string(o.dropout), ""});
  }
  if (o.dropout > 0 && !has_dropout)
    fail_usage({"this backbone has no dropout", "backbone " + o.name, "dropout 0", number(o.dropout), ""});
}

Graph build_any(const BackboneOptions& o) {
  for (const IResNet& net : kIResNets) {
    if (o.name != net.name) continue;
    check(o, /*has_dropout=*/true);
    check_input(o);
    return build(net, o);
  }
  for (const MobileFaceNet& net : kMobileFaceNets) {
    if (o.name != net.name) continue;
    check(o, /*has_dropout=*/false);
    check_input(o);
    return build(net, o);
  }
  if (is_vit(o.name)) {
    check(o, /*has_dropout=*/false);
    return build_vit(o);
  }
  fail_usage({"unknown backbone", "backbone " + o.name, "one of " + list(backbone_names()), o.name, ""});
}

}  // namespace

Graph build_backbone(const BackboneOptions& options) {
  Graph graph = build_any(options);
  graph.options = {{"name", options.name},
                   {"input", std::to_string(options.input)},
                   {"embedding", std::to_string(options.embedding)},
                   {"dropout", number(options.dropout)}};
  return graph;
}

std::vector<std::string> backbone_names() {
  std::vector<std::string> names;
  for (const IResNet& net : kIResNets) names.push_back(net.name);
  for (const MobileFaceNet& net : kMobileFaceNets) names.push_back(net.name);
  for (std::string& name : vit_names()) names.push_back(std::move(name));
  return names;
}

std::string backbone_json(const BackboneOptions& o) {
  return nlohmann::ordered_json{
      {"name", o.name}, {"input", o.input}, {"embedding", o.embedding}, {"dropout", o.dropout}}
      .dump();
}

BackboneOptions backbone_from_json(const std::string& json, const std::string& where) {
  try {
    const auto j = nlohmann::json::parse(json);
    BackboneOptions o;
    o.name = j.at("name").get<std::string>();
    o.input = j.at("input").get<int>();
    o.embedding = j.at("embedding").get<int>();
    o.dropout = j.value("dropout", 0.0);
    return o;
  } catch (const nlohmann::json::exception&) {
    fail_data({"description of the backbone cannot be read", where,
               R"({"name":"mbf","input":112,"embedding":512,"dropout":0.0})", json.substr(0, 80), ""});
  }
}

BackboneOptions backbone_options(const Graph& graph) {
  if (graph.options.count("name") == 0) {
    fail_usage({"this network cannot be named", graph.architecture, "one of " + list(backbone_names()),
                "a graph that came from a file without a likeness.backbone entry", "keep it as ONNX"});
  }
  return {graph.options.at("name"), std::stoi(graph.options.at("input")), std::stoi(graph.options.at("embedding")),
          std::stod(graph.options.at("dropout"))};
}

}  // namespace likeness::model
