// ONNX files of others as networks that can be trained.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/graph/graph_json.h"
#include "model/graph/interpreter.h"
#include "model/graph/match.h"
#include "model/graph/unfold.h"
#include "model/weights_file.h"
#include "tests/model/folded_onnx.h"
#include "tests/support/errors.h"

namespace likeness::model {
namespace {

std::vector<double> run(const Graph& graph, const Weights& weights, const std::vector<double>& input, std::int64_t n) {
  return Interpreter(graph, weights).run(input, n, 0);
}

std::vector<double> pictures(const Graph& graph, std::int64_t n) {
  return Stream("pictures").uniform(static_cast<std::size_t>(n * element_count(graph.nodes[0].shape)), -1, 1);
}

std::filesystem::path write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

class FoldedBackbone : public testing::TestWithParam<const char*> {};

TEST_P(FoldedBackbone, GetsItsBatchNormsAndNamesBackWithEqualOutputs) {
  const test::TempDir dir;
  const Graph graph = build_backbone({.name = GetParam(), .input = 32, .embedding = 24});
  const Weights weights = deterministic_fill(graph);
  const Folded folded = fold(graph, weights);
  EXPECT_GT(folded.count, 10);
  WeightsFile file = read_weights_file(write(dir / "m.onnx", anonymous_onnx(folded)));
  EXPECT_EQ(file.graph->architecture, "onnx");
  EXPECT_FALSE(file.contract);
  const std::vector<double> input = pictures(graph, 2);
  const std::vector<double> before = run(*file.graph, file.weights, input, 2);

  const std::vector<std::string> restored = make_trainable(&file);
  EXPECT_EQ(static_cast<int>(restored.size()), folded.count);
  EXPECT_EQ(file.graph->nodes, graph.nodes);
  EXPECT_EQ(file.graph->tensors, graph.tensors);
  EXPECT_EQ(file.graph->options, graph.options);
  check_weights(*file.graph, file.weights, "restored");
  EXPECT_LE(relative_error(run(*file.graph, file.weights, input, 2), before), 1e-9);
  EXPECT_LE(relative_error(before, run(graph, weights, input, 2)), 1e-5) << "folding itself, in f32";
  for (const std::string& prefix : restored) {
    for (double w : file.weights.at(prefix + ".weight").as_double()) EXPECT_NEAR(w, 1, 2.5e-4);
    for (double m : file.weights.at(prefix + ".running_mean").as_double()) EXPECT_EQ(m, 0);
  }
  EXPECT_TRUE(make_trainable(&file).empty()) << "a backbone stays as it is";
}
INSTANTIATE_TEST_SUITE_P(All, FoldedBackbone, testing::Values("r18", "r50", "mbf"));

TEST(Unfold, AForeignNetworkKeepsItsShapeAndItsOutputs) {
  const test::TempDir dir;
  const Graph graph = small_foreign_graph();
  const Folded folded = fold(graph, deterministic_fill(graph));
  EXPECT_EQ(folded.count, 4);
  WeightsFile file = read_weights_file(write(dir / "m.onnx", anonymous_onnx(folded)));
  const std::vector<double> input = pictures(graph, 3), before = run(*file.graph, file.weights, input, 3);
  const std::vector<std::string> restored = make_trainable(&file);
  EXPECT_EQ(restored, (std::vector<std::string>{"Conv_0_bn", "Conv_2_bn", "Conv_4_bn", "Conv_7_bn"}));
  EXPECT_LE(relative_error(run(*file.graph, file.weights, input, 3), before), 1e-12);
  for (const Node& node : file.graph->nodes) {
    if (node.op == Op::kBatchNorm) {
      EXPECT_EQ(node.epsilon, kRestoredEpsilon);
    }
  }
  EXPECT_EQ(file.weights.at("Conv_0_bn.weight").as_double(), std::vector<double>(8, 1.0));
  EXPECT_EQ(file.weights.at("Conv_0_bn.running_var").as_double(), std::vector<double>(8, 1 - kRestoredEpsilon));
  EXPECT_EQ(file.weights.at("Conv_0_bn.bias").data, folded.weights.at("c1.bias").data);

  // And as a model of ours: the network is described in the file.
  save_model(dir / "m.safetensors", {*file.graph, file.weights, arcface_contract(16)}, IfExists::kRefuse);
  const TrainedModel back = load_model(dir / "m.safetensors");
  EXPECT_EQ(back.graph.nodes, file.graph->nodes);
  EXPECT_EQ(back.graph.tensors, file.graph->tensors);
  EXPECT_EQ(run(back.graph, back.weights, input, 3), run(*file.graph, file.weights, input, 3));
}

TEST(Unfold, AFileThatWasNotFoldedStaysAsItIs) {
  Graph graph = small_foreign_graph();
  Weights weights = deterministic_fill(graph);
  const Graph before = graph;
  EXPECT_TRUE(restore_batch_norms(&graph, &weights).empty());
  EXPECT_EQ(graph.nodes, before.nodes);
  GraphBuilder g("test", 8, 8);  // a patch embedding has a bias of its own
  int x = g.tokens("t", g.conv("c", g.input(), {.channels = 4, .kernel = 4, .stride = 4, .bias = true}));
  Graph vit = g.finish(g.linear("l", g.flatten("f", x), 3, true));
  Weights tokens = deterministic_fill(vit);
  EXPECT_TRUE(restore_batch_norms(&vit, &tokens).empty());
}

TEST(Unfold, RestatedStatisticsAreTheDatasAndChangeNoOutput) {
  const Folded folded = fold(small_foreign_graph(), deterministic_fill(small_foreign_graph()));
  Graph graph = folded.graph;
  Weights weights = folded.weights;
  const std::vector<std::string> restored = restore_batch_norms(&graph, &weights);
  const std::vector<double> input = pictures(graph, 12), before = run(graph, weights, input, 12);
  restate_batch_norms(graph, &weights, restored, input, 12, 0);
  EXPECT_LE(relative_error(run(graph, weights, input, 12), before), 1e-6);
  // The first convolution's output, channel 0, straight from the definition.
  std::vector<std::vector<double>> taps;
  Interpreter(graph, weights).run(input, 12, 1, &taps);
  const std::size_t places = 64, channels = 8;
  double sum = 0, squares = 0;
  for (std::size_t b = 0; b < 12; ++b)
    for (std::size_t i = 0; i < places; ++i) {
      const double v = taps[1][b * channels * places + i];
      sum += v, squares += v * v;
    }
  const double n = 12 * places, mean = sum / n;
  EXPECT_NEAR(weights.at("c1_bn.running_mean").as_double()[0], mean, 1e-6);
  EXPECT_NEAR(weights.at("c1_bn.running_var").as_double()[0], (squares - n * mean * mean) / (n - 1), 1e-6);
}

TEST(Match, OnlyTheSameNetworkIsOne) {
  const Graph graph = build_backbone({.name = "mbf", .input = 32, .embedding = 24});
  const Weights weights = deterministic_fill(graph);
  ASSERT_TRUE(match_backbone(graph, weights));
  EXPECT_EQ(match_backbone(graph, weights)->graph.architecture, "mbf");
  EXPECT_FALSE(match_backbone(graph, weights, {.name = "mbf", .input = 32, .embedding = 25}));
  EXPECT_FALSE(match_backbone(graph, weights, {.name = "r18", .input = 32, .embedding = 24}));
  Graph other = graph;
  for (Node& node : other.nodes)
    if (node.op == Op::kBatchNorm) node.epsilon = 2e-5;
  EXPECT_FALSE(match_backbone(other, weights));
  const Graph small = small_foreign_graph();
  EXPECT_FALSE(match_backbone(small, deterministic_fill(small)));
  const Graph vit = build_backbone({.name = "vit_t", .input = 32, .embedding = 24});
  const auto found = match_backbone(vit, deterministic_fill(vit));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->graph.architecture, "vit_t");
}

TEST(GraphJson, DescribesEveryNetworkWhole) {
  for (const Graph& graph : {small_foreign_graph(), build_backbone({.name = "mbf", .input = 32, .embedding = 24}),
                             build_backbone({.name = "vit_t", .input = 32, .embedding = 24})}) {
    const Graph back = graph_from_json(graph_json(graph), "memory");
    EXPECT_EQ(back.nodes, graph.nodes);
    const auto by_name = [](std::vector<TensorSpec> tensors) {  // a ViT's state dict begins with what comes later
      std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
      return tensors;
    };
    EXPECT_EQ(by_name(back.tensors), by_name(graph.tensors));
    EXPECT_EQ(back.dimension, graph.dimension);
    EXPECT_EQ(graph_json(back), graph_json(graph));
  }
}

TEST(GraphJson, NonsenseIsRefused) {
  const auto refusal = [](const std::string& json) {
    return test::refusal([&] { graph_from_json(json, "m.safetensors"); });
  };
  const std::string head = R"({"architecture":"x","input":[8,8],"nodes":[)";
  EXPECT_NE(refusal("").find("m.safetensors"), std::string::npos);
  EXPECT_NE(refusal("[]").find("description"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"op":"Loop","name":"a","inputs":[0]}]})").find("Loop"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"op":"Flatten","name":"a","inputs":[7]}]})").find("input 7"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"op":"Flatten","name":"a","inputs":[]}]})").find("1 inputs"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"op":"Conv","name":"a","inputs":[0]}]})").find("kernel"), std::string::npos);
  EXPECT_NE(refusal(head + R"({"op":"RestoreTokens","name":"a","inputs":[0,0]}]})").find("masked"), std::string::npos);
  EXPECT_NE(refusal(head + "]}").find("output"), std::string::npos);
}

// The shape that PyTorch's older exporters compute for x.view(x.size(0), -1), a parameter behind an Identity, constants
// as nodes, a product without Gemm.
TEST(OnnxForeign, PlumbingIsReadThrough) {
  GraphBuilder g("test", 4, 4);
  int x = g.relu6("r", g.conv("c", g.input(), {.channels = 2, .kernel = 3, .bias = true}));
  const Graph graph = g.finish(g.linear("l", g.flatten("f", x), 3, false));
  const Weights weights = deterministic_fill(graph);
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(to_onnx(graph, weights, arcface_contract(4), {})));
  onnx::GraphProto* out = model.mutable_graph();
  std::vector<onnx::NodeProto> nodes(out->node().begin(), out->node().end());
  out->clear_node();
  const auto add = [&](const char* op, std::vector<std::string> inputs, const std::string& output) {
    onnx::NodeProto* node = out->add_node();
    node->set_op_type(op);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return node;
  };
  const auto constant = [&](const std::string& name, std::vector<std::int64_t> values) {
    onnx::AttributeProto* a = add("Constant", {}, name)->add_attribute();
    a->set_name("value");
    a->set_type(onnx::AttributeProto::TENSOR);
    a->mutable_t()->set_data_type(onnx::TensorProto::INT64);
    for (std::int64_t v : values) a->mutable_t()->add_int64_data(v);
  };
  for (onnx::NodeProto node : nodes) {
    if (node.op_type() == "Conv") {
      add("Identity", {node.input(2)}, "shared");
      node.set_input(2, "shared");
    }
    if (node.op_type() == "Flatten") {
      const std::string map = node.input(0), vector = node.output(0);
      constant("zero", {0});
      constant("rest", {-1});
      add("Shape", {map}, "shape");
      add("Gather", {"shape", "zero"}, "batch");
      add("Unsqueeze", {"batch"}, "batch1");
      add("Concat", {"batch1", "rest"}, "to");
      node.set_op_type("Reshape");
      node.clear_attribute();
      node.add_input("to");
    }
    if (node.op_type() == "Gemm") {
      node.set_op_type("MatMul");
      node.clear_attribute();
      for (auto& t : *out->mutable_initializer())
        if (t.name() == "l.weight") {
          const WeightTensor& w = weights.at("l.weight");
          std::vector<float> turned(static_cast<std::size_t>(w.elements()));
          const std::vector<double> v = w.as_double();
          for (std::size_t o = 0; o < 3; ++o)
            for (std::size_t i = 0; i < 8; ++i) turned[i * 3 + o] = static_cast<float>(v[o * 8 + i]);
          t.set_dims(0, 8), t.set_dims(1, 3);
          t.set_raw_data(turned.data(), turned.size() * sizeof(float));
        }
    }
    *out->add_node() = node;
  }
  model.clear_metadata_props();
  const std::string bytes = model.SerializeAsString();
  const OnnxModel read = parse_onnx(std::as_bytes(std::span(bytes)), "memory");
  const std::vector<double> input = pictures(graph, 2);
  EXPECT_EQ(run(read.graph, read.weights, input, 2), run(graph, weights, input, 2));
  EXPECT_EQ(read.graph.nodes.size(), graph.nodes.size());
}

// MobileFaceNet of another author: ReLU6, Clip bounds as constants, every batch norm folded, a batch of one.
TEST(OnnxForeign, AThirdPartysNetworkBecomesTrainable) {
  const auto faces = test::faces();
  if (!faces) GTEST_SKIP() << test::kNoFaces;
  WeightsFile file = read_weights_file(*faces / "third-party/mobilefacenet-128d.onnx");
  EXPECT_EQ(file.graph->dimension, 128);
  const std::vector<double> input = pictures(*file.graph, 2), before = run(*file.graph, file.weights, input, 2);
  EXPECT_EQ(make_trainable(&file).size(), 51u);
  EXPECT_EQ(file.graph->architecture, "onnx");
  EXPECT_LE(relative_error(run(*file.graph, file.weights, input, 2), before), 1e-9);
}

}  // namespace
}  // namespace likeness::model
