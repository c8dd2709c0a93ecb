#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/rng.h"
#include "model/graph/backbones.h"
#include "tests/support/paths.h"

namespace likeness::model {
namespace {

nlohmann::json reference() { return nlohmann::json::parse(std::ifstream(test::golden("backbones.json"))); }

std::vector<std::string> state_dict_lines(const Graph& graph) {
  std::vector<std::string> lines;
  for (const TensorSpec& t : graph.tensors) {
    const std::string kind = !t.parameter ? "buffer" : t.trainable ? "trainable" : "frozen";
    lines.push_back(t.name + " " + shape_text(t.shape) + (t.integer ? " int64 " : " float32 ") + kind);
  }
  return lines;
}

std::string fails(const BackboneOptions& options, ErrorKind kind) {
  try {
    build_backbone(options);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind);
    return e.what();
  }
  ADD_FAILURE() << options.name << " was built";
  return "";
}

class Backbone : public testing::TestWithParam<std::string> {};

TEST_P(Backbone, EqualsArcfaceTorchToTheDigit) {
  const nlohmann::json all = reference();
  // arcface_torch has the largest ViT under its recipe's name only.
  const nlohmann::json& expected = all.at(GetParam() == "vit_l" ? "vit_l_dp005_mask_005" : GetParam());
  const Graph graph = build_backbone({.name = GetParam()});
  EXPECT_EQ(graph.parameter_count(), expected.at("parameters").get<std::int64_t>());
  EXPECT_EQ(graph.trainable_parameter_count(), expected.at("trainable_parameters").get<std::int64_t>());
  EXPECT_EQ(graph.macs().conv, expected.at("macs").at("conv").get<std::int64_t>());
  EXPECT_EQ(graph.macs().linear, expected.at("macs").at("linear").get<std::int64_t>());
  EXPECT_EQ(graph.macs().attention, expected.at("macs").at("attention").get<std::int64_t>());
  EXPECT_EQ(graph.macs().total(), expected.at("macs").at("total").get<std::int64_t>());
  std::int64_t buffers = 0;
  for (const TensorSpec& t : graph.tensors) buffers += t.parameter ? 0 : element_count(t.shape);
  EXPECT_EQ(buffers, expected.at("buffers").get<std::int64_t>());

  const std::vector<std::string> lines = state_dict_lines(graph);
  EXPECT_EQ(lines.size(), expected.at("tensors").get<std::size_t>());
  if (expected.contains("state_dict")) {
    EXPECT_EQ(lines, expected.at("state_dict").get<std::vector<std::string>>());
  }
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  char hash[17];
  std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(fnv1a(text)));
  EXPECT_EQ(hash, expected.at("state_dict_fnv1a").get<std::string>());
}

INSTANTIATE_TEST_SUITE_P(All, Backbone, testing::ValuesIn(backbone_names()));

TEST(Backbones, EmbeddingSizeChangesExactlyTheLastLayers) {
  const nlohmann::json all = reference();
  for (const char* name : {"mbf", "r18", "vit_t"}) {
    const Graph usual = build_backbone({.name = name});
    for (const auto& [size, expected] : all.at(name).at("embedding").items()) {
      const Graph graph = build_backbone({.name = name, .embedding = std::stoi(size)});
      EXPECT_EQ(graph.dimension, std::stoi(size));
      EXPECT_EQ(graph.parameter_count(), expected.at("parameters").get<std::int64_t>());
      nlohmann::json changed = nlohmann::json::array();
      ASSERT_EQ(graph.tensors.size(), usual.tensors.size());
      for (std::size_t i = 0; i < usual.tensors.size(); ++i) {
        EXPECT_EQ(graph.tensors[i].name, usual.tensors[i].name);
        if (graph.tensors[i].shape != usual.tensors[i].shape)
          changed.push_back({graph.tensors[i].name, graph.tensors[i].shape});
      }
      EXPECT_EQ(changed, expected.at("changed_tensors"));
    }
  }
}

TEST(Backbones, InputSizeSetsTheLastFeatureMap) {
  const auto shape_of = [](const Graph& graph, const std::string& name) {
    for (const TensorSpec& t : graph.tensors) {
      if (t.name == name) return t.shape;
    }
    return std::vector<std::int64_t>{};
  };
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(shape_of(build_backbone({.name = "mbf", .input = 64}), "features.layers.0.layers.0.weight"),
            (Shape{512, 1, 4, 4}));
  EXPECT_EQ(shape_of(build_backbone({.name = "mbf", .input = 224}), "features.layers.0.layers.0.weight"),
            (Shape{512, 1, 14, 14}));
  EXPECT_EQ(shape_of(build_backbone({.name = "r18", .input = 64}), "fc.weight"), (Shape{512, 512 * 16}));
  EXPECT_EQ(shape_of(build_backbone({.name = "r18", .input = 16}), "fc.weight"), (Shape{512, 512}));
  for (int input = 16; input <= 256; input += 16)
    EXPECT_EQ(build_backbone({.name = "mbf", .input = input}).input_width, input);
  for (const auto& [input, patches] : {std::pair{9, 1}, {17, 1}, {18, 4}, {64, 49}, {112, 144}, {113, 144}}) {
    const Graph vit = build_backbone({.name = "vit_t", .input = input});
    EXPECT_EQ(shape_of(vit, "pos_embed"), (Shape{1, patches, 256})) << input;
    EXPECT_EQ(shape_of(vit, "feature.0.weight"), (Shape{256, 256 * patches})) << input;
  }
}

TEST(Backbones, DropoutIsANodeOfIresnetOnly) {
  const auto has_dropout = [](const Graph& graph) {
    for (const Node& node : graph.nodes) {
      if (node.op == Op::kDropout) return node.dropout == 0.4;
    }
    return false;
  };
  EXPECT_TRUE(has_dropout(build_backbone({.name = "r50", .dropout = 0.4})));
  EXPECT_FALSE(has_dropout(build_backbone({.name = "r50"})));
  EXPECT_NE(fails({.name = "mbf", .dropout = 0.4}, ErrorKind::kUsage).find("has no dropout"), std::string::npos);
}

// What only training runs: the rates that arcface_torch trains with, and no trace of them in evaluation.
TEST(Backbones, VitDropsPathsAndMasksTokensInTraining) {
  struct Case {
    const char* name;
    int blocks;
    double drop_path, mask;
  };
  for (const Case& c : {Case{"vit_t", 12, 0.1, 0.1}, Case{"vit_s_dp005_mask_0", 12, 0.05, 0},
                        Case{"vit_b_dp005_mask_005", 24, 0.05, 0.1}, Case{"vit_l", 24, 0.1, 0.1}}) {
    const Graph graph = build_backbone({.name = c.name});
    std::vector<double> drops;
    double mask = -1;
    for (const Node& node : graph.nodes) {
      if (node.op == Op::kMaskTokens) mask = node.dropout;
      if (node.op != Op::kDropout) continue;
      drops.push_back(node.dropout);
      EXPECT_TRUE(node.whole) << node.name;
    }
    ASSERT_EQ(drops.size(), 2u * (c.blocks - 1)) << "none in the first block";
    for (std::size_t i = 0; i < drops.size(); ++i)
      EXPECT_NEAR(drops[i], c.drop_path * static_cast<double>(i / 2 + 1) / (c.blocks - 1), 1e-15) << c.name << i;
    EXPECT_EQ(mask, c.mask) << c.name;
    const std::vector<Node> evaluated = graph.evaluation_nodes();
    EXPECT_EQ(evaluated.size(), graph.nodes.size() - drops.size() - 2);
    for (const Node& node : evaluated) {
      EXPECT_TRUE(node.op != Op::kDropout && node.op != Op::kMaskTokens && node.op != Op::kRestoreTokens);
      for (int input : node.inputs) EXPECT_LT(input, static_cast<int>(evaluated.size()));
    }
  }
}

TEST(Backbones, MistakesAreNamed) {
  EXPECT_NE(fails({.name = "resnet50"}, ErrorKind::kUsage).find("r18 r34 r50 r100 r200 mbf mbf_large"),
            std::string::npos);
  for (int input : {0, -16, 100, 2048}) {
    EXPECT_NE(fails({.name = "mbf", .input = input}, ErrorKind::kUsage).find("multiple of 16"), std::string::npos)
        << input;
  }
  for (int input : {0, -9, 8, 1025}) {
    EXPECT_NE(fails({.name = "vit_t", .input = input}, ErrorKind::kUsage).find("9 to 1024 pixels"), std::string::npos)
        << input;
  }
  EXPECT_NE(fails({.name = "vit_b", .dropout = 0.1}, ErrorKind::kUsage).find("has no dropout"), std::string::npos);
  fails({.name = "vit_t", .embedding = 0}, ErrorKind::kUsage);
  fails({.name = "r18", .embedding = 0}, ErrorKind::kUsage);
  fails({.name = "r18", .dropout = 1}, ErrorKind::kUsage);
}

TEST(Backbones, OptionsSurviveJson) {
  const BackboneOptions options{.name = "r34", .input = 64, .embedding = 128, .dropout = 0.1};
  EXPECT_EQ(backbone_from_json(backbone_json(options), "test"), options);
  EXPECT_EQ(backbone_options(build_backbone(options)), options);
  EXPECT_THROW(backbone_from_json("{\"name\":\"mbf\"}", "test"), Error);
  EXPECT_THROW(backbone_from_json("not json", "test"), Error);
}

TEST(GraphBuilder, InfersShapes) {
  GraphBuilder g("test", 9, 7);
  int x = g.conv("c", g.input(), {.channels = 4, .kernel = 3, .stride = 2, .padding = 1, .bias = true});
  EXPECT_EQ(g.shape(x), (std::vector<std::int64_t>{4, 5, 4}));
  x = g.conv("d", x, {.channels = 4, .kernel = 0, .groups = 2}, 5, 1);
  EXPECT_EQ(g.shape(x), (std::vector<std::int64_t>{4, 1, 4}));
  x = g.flatten("f", x);
  x = g.linear("l", x, 3, false);
  const Graph graph = g.finish(x);
  EXPECT_EQ(graph.dimension, 3);
  EXPECT_EQ(graph.macs().conv, 4 * 5 * 4 * 27 + 4 * 4 * 2 * 5);
  EXPECT_EQ(graph.macs().linear, 16 * 3);
  ASSERT_EQ(graph.tensors.size(), 4u);
  EXPECT_EQ(graph.tensors[1].name, "c.bias");
  EXPECT_EQ(graph.tensors[2].shape, (std::vector<std::int64_t>{4, 2, 5, 1}));
}

TEST(GraphBuilder, RefusesWhatCannotBe) {
  const auto refuses = [](const char* what, auto build) {
    GraphBuilder g("test", 8, 8);
    try {
      build(g);
      ADD_FAILURE() << what << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData);
      EXPECT_NE(std::string(e.what()).find("node bad"), std::string::npos) << e.what();
    }
  };
  refuses("a kernel larger than its input", [](auto& g) { g.conv("bad", 0, {.channels = 1, .kernel = 9}); });
  refuses("groups that do not divide", [](auto& g) { g.conv("bad", 0, {.channels = 4, .kernel = 1, .groups = 2}); });
  refuses("stride 0", [](auto& g) { g.conv("bad", 0, {.channels = 4, .kernel = 1, .stride = 0}); });
  refuses("a repeated name", [](auto& g) { g.prelu("bad", g.prelu("bad", 0)); });
  refuses("unequal shapes added", [](auto& g) { g.add("bad", 0, g.conv("c", 0, {.channels = 4, .kernel = 1})); });
  refuses("Linear on maps", [](auto& g) { g.linear("bad", 0, 4, true); });
  refuses("tokens of a vector", [](auto& g) { g.tokens("bad", g.flatten("f", 0)); });
  refuses("a layer norm of maps", [](auto& g) { g.layer_norm("bad", 0); });
  refuses("a batch norm of tokens", [](auto& g) { g.batch_norm("bad", g.tokens("t", 0)); });
  refuses("a slope per token", [](auto& g) { g.prelu("bad", g.tokens("t", 0)); });
  refuses("attention of what is not three times something",
          [](auto& g) { g.attention("bad", g.linear("l", g.tokens("t", 0), 8, false), 2); });
  refuses("heads that do not divide", [](auto& g) { g.attention("bad", g.tokens("t", 0), 2); });
  refuses("no heads", [](auto& g) { g.attention("bad", g.tokens("t", 0), 0); });
  refuses("all tokens masked", [](auto& g) { g.mask_tokens("bad", g.tokens("t", 0), 1); });
  refuses("an output that is a map", [](auto& g) { g.finish(g.prelu("bad", 0)); });
  refuses("a node nobody uses", [](auto& g) {
    g.prelu("bad", 0);
    g.finish(g.flatten("f", 0));
  });
}

}  // namespace
}  // namespace likeness::model
