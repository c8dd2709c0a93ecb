#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/graph/interpreter.h"
#include "tests/model/graph_onnx_support.h"
#include "tests/support/process.h"

namespace likeness::model {
namespace {

class OnnxRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(OnnxRoundTrip, GivesBackGraphNamesAndWeights) {
  const Exported e = exported({.name = GetParam(), .input = 32, .embedding = 24});
  const OnnxModel back = parse_onnx(bytes_of(e.bytes), "memory");
  EXPECT_EQ(back.graph.architecture, GetParam());
  EXPECT_EQ(back.graph.nodes, e.graph.nodes);
  EXPECT_EQ(back.graph.tensors, e.graph.tensors);
  EXPECT_EQ(back.graph.options, e.graph.options);
  check_weights(back.graph, back.weights, "memory");
  EXPECT_EQ(weights_hash(back.graph, back.weights), weights_hash(e.graph, e.weights));
  EXPECT_EQ(to_onnx(back.graph, back.weights, arcface_contract(32), {}), e.bytes);
}
INSTANTIATE_TEST_SUITE_P(All, OnnxRoundTrip,
                         testing::Values("r18", "r50", "mbf", "mbf_large", "vit_t", "vit_t_dp005_mask0"));

TEST(OnnxWrite, FollowsTheDropInRules) {
  const onnx::ModelProto model = proto_of(exported({.name = "r18", .input = 64}).bytes);
  EXPECT_EQ(model.ir_version(), 7);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  const onnx::GraphProto& graph = model.graph();
  ASSERT_EQ(graph.input_size(), 1);
  ASSERT_EQ(graph.output_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "data");
  EXPECT_EQ(graph.output(0).name(), "fc1");
  const auto& in = graph.input(0).type().tensor_type().shape();
  EXPECT_EQ(in.dim(0).dim_param(), "batch");
  EXPECT_EQ(in.dim(1).dim_value(), 3);
  EXPECT_EQ(in.dim(3).dim_value(), 64);
  EXPECT_EQ(graph.output(0).type().tensor_type().shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(graph.output(0).type().tensor_type().shape().dim(1).dim_value(), 512);
  EXPECT_EQ(graph.value_info_size(), 0);

  std::map<std::string, int> ops;
  for (const onnx::NodeProto& node : graph.node()) ++ops[node.op_type()];
  const std::map<std::string, int> expected{
      {"Conv", 21}, {"BatchNormalization", 31}, {"PRelu", 9}, {"Add", 8}, {"Flatten", 1}, {"Gemm", 1}};
  EXPECT_EQ(ops, expected);
  EXPECT_EQ(graph.node(0).name(),
            "conv1");  // none of the first eight is named Sub*, Mul*: readers guess normalisation from that
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(graph.node(i).name().find_first_of("SM_"), std::string::npos) << graph.node(i).name();
  std::map<std::string, const onnx::TensorProto*> tensors;
  for (const onnx::TensorProto& t : graph.initializer()) tensors[t.name()] = &t;
  ASSERT_EQ(tensors.count("prelu.weight"), 1u);
  EXPECT_EQ(tensors["prelu.weight"]->dims_size(), 3);
  EXPECT_EQ(tensors.count("bn1.num_batches_tracked"), 0u);
}

TEST(OnnxWrite, MetadataCarriesTheContract) {
  const Exported e = exported({.name = "mbf", .input = 64}, {{"note", "kept"}});
  const test::TempDir dir;
  std::ofstream(dir / "m.onnx", std::ios::binary) << e.bytes;
  const OnnxInfo info = onnx_info(dir / "m.onnx");
  EXPECT_EQ(info.input_shape, (std::vector<std::int64_t>{-1, 3, 64, 64}));
  EXPECT_EQ(info.output_shape, (std::vector<std::int64_t>{-1, 512}));
  EXPECT_EQ(info.opset, 13);
  EXPECT_EQ(info.metadata.at("note"), "kept");
  EXPECT_EQ(info.metadata.at("Image.BitmapPixelFormat"), "Rgb8");
  EXPECT_EQ(info.metadata.at("Image.NominalPixelRange"), "Normalized_1_1");
  EXPECT_EQ(info.metadata.count("likeness.revision"), 1u);
  ModelContract contract;
  ASSERT_TRUE(onnx_contract(info.metadata, &contract));
  EXPECT_EQ(contract.weights_hash, weights_hash(e.graph, e.weights));
  EXPECT_EQ(contract.dimension, 512);
  EXPECT_TRUE(contract.geometry.same_as(FaceGeometry::arcface(64)));
  EXPECT_FALSE(onnx_contract({}, &contract));
}

TEST(OnnxWrite, IsByteIdentical) {
  const BackboneOptions options{.name = "r34", .input = 32};
  EXPECT_EQ(exported(options).bytes, exported(options).bytes);
}

TEST(OnnxWrite, DropoutVanishesAndComesBack) {
  const Exported plain = exported({.name = "r18", .input = 32});
  const Exported dropped = exported({.name = "r18", .input = 32, .dropout = 0.4});
  EXPECT_EQ(proto_of(plain.bytes).graph().SerializeAsString(), proto_of(dropped.bytes).graph().SerializeAsString());
  EXPECT_EQ(parse_onnx(bytes_of(dropped.bytes), "memory").graph.nodes, dropped.graph.nodes);
}

TEST(OnnxWrite, RefusesWeightsOfAnotherNetwork) {
  const Graph graph = build_backbone({.name = "mbf", .input = 32});
  const Weights other = deterministic_fill(build_backbone({.name = "r18", .input = 32}));
  EXPECT_THROW(to_onnx(graph, other, arcface_contract(32), {}), Error);
}

// Files of PyTorch's exporter: parameters without state dict names, epsilon rounded to f32.
class ForeignOnnx : public testing::TestWithParam<const char*> {};

TEST_P(ForeignOnnx, RunsAsItsMakerDid) {
  const OnnxModel model = read_onnx(test::golden(GetParam()));
  EXPECT_EQ(model.graph.architecture, "onnx");
  EXPECT_EQ(model.graph.nodes.back().epsilon, 1e-5);
  EXPECT_EQ(model.weights.tensors.count("fc.weight"), 1u);
  const auto json = nlohmann::json::parse(std::ifstream(test::golden("onnx/expected.json")));
  std::vector<double> expected;
  for (const auto& row : json.at("tiny_eval_output")) expected.insert(expected.end(), row.begin(), row.end());
  const std::vector<double> input = Stream("tiny.x").uniform(4 * 3 * 16 * 16, -1, 1);
  const std::vector<double> output = Interpreter(model.graph, model.weights).run(input, 4);
  ASSERT_EQ(output.size(), expected.size());
  for (std::size_t i = 0; i < output.size(); ++i) EXPECT_NEAR(output[i], expected[i], 1e-6);

  const OnnxModel again = parse_onnx(bytes_of(to_onnx(model.graph, model.weights, arcface_contract(16), {})), "memory");
  EXPECT_EQ(Interpreter(again.graph, again.weights).run(input, 4), output);
}
INSTANTIATE_TEST_SUITE_P(Tiny, ForeignOnnx,
                         testing::Values("onnx/tiny_legacy_opset11.onnx", "onnx/tiny_legacy_opset13.onnx",
                                         "onnx/tiny_legacy_opset17.onnx", "onnx/tiny_dynamo_opset18.onnx"));

TEST(OnnxInfo, KnowsLaterOpsets) {
  EXPECT_EQ(onnx_info(test::golden("onnx/tiny_dynamo_opset18.onnx")).opset, 18);
}

TEST(OnnxRead, RefusesWhatIsNotAGraphOfOurs) {
  const std::string good = exported({.name = "mbf", .input = 32, .embedding = 16}).bytes;
  EXPECT_EQ(refusal(good), "");
  EXPECT_NE(refusal("this is not a model"), "");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal(good.substr(0, good.size() / 2)), "");

  const auto altered = [&](auto change) {
    onnx::ModelProto model = proto_of(good);
    change(&model);
    return refusal(model.SerializeAsString());
  };
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(contains,
               altered([](auto* m) { m->mutable_graph()->mutable_initializer(0)->mutable_raw_data()->resize(8); }),
               "values in");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_initializer(0)->set_dims(0, 1ll << 62); }),
               "layers.0.layers.0");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_initializer(0)->set_data_type(10); }),
               "another type");
  EXPECT_PRED2(contains, altered([](auto* m) {
                 m->mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
               }),
               "another file");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_node(0)->set_op_type("Loop"); }), "(Loop)");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_node(0)->set_domain("evil"); }),
               "domain evil");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_node(3)->set_input(0, "nowhere"); }),
               "\"nowhere\"");
  EXPECT_PRED2(contains,
               altered([](auto* m) { m->mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_ints(0, 2); }),
               "dilations");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_node(0)->mutable_attribute(1)->set_i(-1); }),
               "out of range");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->mutable_node(0)->clear_input(); }), "inputs");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_opset_import(0)->set_version(7); }), "opset 9");
  EXPECT_PRED2(contains, altered([](auto* m) { m->mutable_graph()->add_output()->set_name("second"); }), "2 outputs");
  EXPECT_PRED2(contains, altered([](auto* m) {
                 for (auto& p : *m->mutable_metadata_props()) {
                   if (p.key() == "likeness.backbone")
                     p.set_value(backbone_json({.name = "r18", .input = 32, .embedding = 16}));
                 }
               }),
               "not the network it says it is");
}

TEST(OnnxInfo, ReadsFilesOfLaterOpsets) {
  const auto faces = test::faces();
  if (!faces) GTEST_SKIP() << test::kNoFaces;
  const OnnxInfo info = onnx_info(*faces / "third-party/mobilefacenet-128d.onnx");
  EXPECT_EQ(info.opset, 18);
  EXPECT_EQ(info.input_shape, (std::vector<std::int64_t>{1, 3, 112, 112}));
  EXPECT_EQ(info.output_shape, (std::vector<std::int64_t>{1, 128}));
}

// Python's onnx checker, and onnxruntime against the interpreter for batches 1 and 3.
TEST(OnnxCrossCheck, PythonAgrees) {
  const std::filesystem::path python = test::source_dir() / ".deps/python/bin/python";
  if (!std::filesystem::exists(python))
    GTEST_SKIP() << "skipped: scripts/setup.sh --crosscheck brings onnx and onnxruntime";
  const test::TempDir dir;
  for (const char* name : {"mbf", "r18", "vit_t"}) {
    const Exported e = exported({.name = name, .input = 64});
    std::ofstream(dir / "m.onnx", std::ios::binary) << e.bytes;
    const std::vector<double> input = Stream("cross").uniform(3 * 3 * 64 * 64, -1, 1);
    const std::vector<float> narrow(input.begin(), input.end());
    std::ofstream(dir / "x.f32", std::ios::binary)
        .write(reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(float));
    std::ofstream(dir / "run.py") << R"(import numpy, onnx, onnxruntime, sys
folder = sys.argv[1]
model = onnx.load(folder + '/m.onnx')
onnx.checker.check_model(model, full_check=True)
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
session = onnxruntime.InferenceSession(folder + '/m.onnx', providers=['CPUExecutionProvider'])
x = numpy.fromfile(folder + '/x.f32', 'f4').reshape(3, 3, 64, 64)
three = session.run(['fc1'], {'data': x})[0]
one = session.run(['fc1'], {'data': x[1:2]})[0]
assert abs(three[1:2] - one).max() < 1e-4
three.astype('f4').tofile(folder + '/y.f32')
)";
    const test::ProcessResult result =
        test::run_process(python.string(), {(dir / "run.py").string(), dir.path().string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    std::vector<float> output(3 * 512);
    std::ifstream(dir / "y.f32", std::ios::binary)
        .read(reinterpret_cast<char*>(output.data()), output.size() * sizeof(float));
    const std::vector<double> expected = Interpreter(e.graph, e.weights).run(input, 3, 0);
    EXPECT_LE(relative_error(std::vector<double>(output.begin(), output.end()), expected), 1e-5) << name;
  }
}

}  // namespace
}  // namespace likeness::model
