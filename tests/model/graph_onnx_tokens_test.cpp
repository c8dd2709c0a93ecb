// Vision Transformers as ONNX: what is written, and what of it is read back or refused.
#include <cstring>

#include "model/graph/interpreter.h"
#include "tests/model/graph_onnx_support.h"

namespace likeness::model {
namespace {

// Only operators of opset 13, none that fixes the batch, and no node whose name readers take for a normalisation.
TEST(OnnxWrite, VitIsMadeOfPlainOperators) {
  const onnx::ModelProto model = proto_of(exported({.name = "vit_t", .input = 32}).bytes);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  const onnx::GraphProto& graph = model.graph();
  std::map<std::string, int> ops;
  for (const onnx::NodeProto& node : graph.node()) ++ops[node.op_type()];
  const std::map<std::string, int> expected{{"Conv", 1},
                                            {"Reshape", 1 + 12 * 4},
                                            {"Transpose", 1 + 12 * 4},
                                            {"Split", 12},
                                            {"MatMul", 12 * 6},
                                            {"Softmax", 12},
                                            {"Mul", 12 + 25},
                                            {"Clip", 12},
                                            {"ReduceMean", 50},
                                            {"Sub", 25},
                                            {"Pow", 25},
                                            {"Sqrt", 25},
                                            {"Div", 25},
                                            {"Add", 1 + 12 * 5 + 50},
                                            {"Flatten", 1},
                                            {"Gemm", 2},
                                            {"BatchNormalization", 2}};
  EXPECT_EQ(ops, expected);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(graph.node(i).name().find_first_of("SM_"), graph.node(i).name().find("_embed")) << graph.node(i).name();
  for (const onnx::TensorProto& t : graph.initializer()) {
    EXPECT_NE(t.name(), "mask_token");
    if (t.name() == "blocks.0.attn.qkv.weight") {
      EXPECT_EQ(t.dims(0), 256) << "MatMul wants [I,O]";
    }
    if (t.name().starts_with("shape_")) {
      std::int64_t batch = -1;
      std::memcpy(&batch, t.raw_data().data(), sizeof batch);
      EXPECT_EQ(batch, 0) << t.name() << " must keep the batch";
    }
  }
}

TEST(OnnxRead, GivesAVitItsTrainingPartsBack) {
  const Exported e = exported({.name = "vit_t", .input = 18, .embedding = 8});
  const OnnxModel back = parse_onnx(bytes_of(e.bytes), "memory");
  EXPECT_EQ(back.graph.nodes, e.graph.nodes);
  for (double v : back.weights.at("mask_token").as_double()) EXPECT_EQ(v, 0);
  const std::vector<double> input = Stream("x").uniform(3 * 18 * 18, -1, 1);
  EXPECT_EQ(Interpreter(back.graph, back.weights).run(input, 1), Interpreter(e.graph, e.weights).run(input, 1));
}

// A file of the same operators without our description: its embeddings, too, must be the same.
TEST(OnnxRead, ReadsTokensWithoutADescription) {
  const Exported e = exported({.name = "vit_t", .input = 18, .embedding = 8});
  onnx::ModelProto model = proto_of(e.bytes);
  model.clear_metadata_props();
  const OnnxModel back = parse_onnx(bytes_of(model.SerializeAsString()), "memory");
  EXPECT_EQ(back.graph.architecture, "onnx");
  const std::vector<double> input = Stream("x").uniform(2 * 3 * 18 * 18, -1, 1);
  const std::vector<double> wanted = Interpreter(e.graph, e.weights).run(input, 2);
  EXPECT_LE(relative_error(Interpreter(back.graph, back.weights).run(input, 2), wanted), 1e-9) << "epsilon is f32";
}

TEST(OnnxRead, RefusesTokensThatAreNotOurs) {
  const std::string good = exported({.name = "vit_t", .input = 18, .embedding = 8}).bytes;
  const auto altered = [&](const char* name, auto change) {
    onnx::ModelProto model = proto_of(good);
    for (onnx::NodeProto& node : *model.mutable_graph()->mutable_node()) {
      if (node.name() == name) {
        change(&node);
        return refusal(model.SerializeAsString());
      }
    }
    ADD_FAILURE() << "no node " << name;
    return std::string();
  };
  const auto names = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(names, altered("blocks.2.norm1/squared", [](auto* n) { n->set_input(1, "value_6"); }), "a square");
  EXPECT_PRED2(names, altered("blocks.2.norm1/squared", [](auto* n) { n->mutable_input()->RemoveLast(); }), "inputs");
  EXPECT_PRED2(names, altered("blocks.2.norm1/normal", [](auto* n) { n->mutable_input()->SwapElements(0, 1); }),
               "as input 0");
  EXPECT_PRED2(names, altered("blocks.2.norm1/variance", [](auto* n) { n->mutable_attribute(0)->set_ints(0, 1); }),
               "mean of each token");
  EXPECT_PRED2(names, altered("blocks.2.norm1/deviation", [](auto* n) { n->set_op_type("Exp"); }), "Sqrt");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/keys", [](auto* n) { n->mutable_attribute(0)->set_ints(0, 3); }),
               "perm [0,2,3,1]");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/scores", [](auto* n) { n->set_input(1, "value_6"); }),
               "a head's size");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/shares", [](auto* n) { n->mutable_attribute(0)->set_i(1); }),
               "axis -1");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/mixed", [](auto* n) { n->set_input(1, "blocks.2.attn.heads/q"); }),
               "as input 1");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/split", [](auto* n) { n->mutable_output()->RemoveLast(); }),
               "3 outputs");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads/v_heads", [](auto* n) { n->set_input(1, "shape_0_0_256"); }),
               "[0,0,8,32]");
  EXPECT_PRED2(names, altered("blocks.2.mlp.act", [](auto* n) { n->set_input(2, "value_2"); }), "0 … 6");
  EXPECT_PRED2(names, altered("patch_embed.tokens/flat", [](auto* n) { n->set_input(1, "shape_0_0_256"); }),
               "[0,256,4]");
  EXPECT_PRED2(names, altered("blocks.2.attn.heads", [](auto* n) { n->set_op_type("Squeeze"); }), "Reshape");
}

}  // namespace
}  // namespace likeness::model
