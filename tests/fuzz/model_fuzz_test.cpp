// safetensors and ONNX files from anywhere.
#include "core/file.h"
#include "model/graph/backbones.h"
#include "model/graph/graph_json.h"
#include "model/graph/onnx.h"
#include "model/graph/torch_file.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

test::Bytes sample(const std::string& name) {
  const MappedFile file(test::golden(name));
  return {file.bytes().begin(), file.bytes().end()};
}

TEST(Fuzz, Safetensors) {
  const std::vector<test::Bytes> corpus{sample("safetensors/all_dtypes.safetensors"),
                                        sample("safetensors/no_metadata.safetensors"),
                                        sample("safetensors/no_tensors.safetensors")};
  test::fuzz(corpus, 40000, [](std::span<const std::byte> bytes) {
    for (const auto& [name, tensor] : model::parse_safetensors(bytes, "fuzz").tensors) {
      ASSERT_EQ(static_cast<std::int64_t>(tensor.as_double().size()), tensor.elements()) << name;
    }
  });
}

// Flipped bits in a storage are found by its CRC; the samples are small, so most changes hit the archive and the
// pickle.
TEST(Fuzz, TorchFile) {
  test::fuzz({sample("torch/dtypes.pt"), sample("torch/state_dict.pt")}, 40000, [](std::span<const std::byte> bytes) {
    for (const auto& [name, tensor] : model::parse_torch_file(bytes, "fuzz").tensors) {
      ASSERT_EQ(static_cast<std::int64_t>(tensor.as_double().size()), tensor.elements()) << name;
    }
  });
}

test::Bytes onnx_of(const model::Graph& graph) {
  ModelContract contract;
  contract.geometry = FaceGeometry::arcface(4);
  const std::string onnx = model::to_onnx(graph, model::deterministic_fill(graph), contract, {});
  const auto bytes = std::as_bytes(std::span(onnx));
  return {bytes.begin(), bytes.end()};
}

// Small enough that mutations hit structure rather than weights.
test::Bytes tiny_network() {
  model::GraphBuilder g("test", 4, 4);
  int x = g.conv("conv", g.input(), {.channels = 2, .kernel = 3, .padding = 1, .bias = true});
  x = g.prelu("prelu", g.batch_norm("bn", x));
  x = g.linear("fc", g.flatten("flat", g.add("add", x, x)), 2, true);
  return onnx_of(g.finish(x));
}

test::Bytes tiny_transformer() {
  model::GraphBuilder g("test", 4, 4);
  int x = g.conv("conv", g.input(), {.channels = 2, .kernel = 2, .stride = 2, .bias = true});
  x = g.positions("add", "pos", g.tokens("tokens", x));
  x = g.linear("qkv", g.layer_norm("norm", x), 6, false);
  x = g.relu6("act", g.linear("proj", g.attention("heads", x, 2), 2, true));
  return onnx_of(g.finish(g.linear("fc", g.flatten("flat", x), 2, false)));
}

TEST(Fuzz, GraphJson) {
  std::vector<test::Bytes> corpus;
  for (const test::Bytes& onnx : {tiny_network(), tiny_transformer()}) {
    const std::string json = model::graph_json(model::parse_onnx(onnx, "sample").graph);
    const auto bytes = std::as_bytes(std::span(json));
    corpus.emplace_back(bytes.begin(), bytes.end());
  }
  test::fuzz(corpus, 20000, [](std::span<const std::byte> bytes) {
    const std::string json(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const model::Graph graph = model::graph_from_json(json, "fuzz");
    ASSERT_EQ(graph.nodes.back().shape.size(), 1u);
  });
}

TEST(Fuzz, Onnx) {
  test::fuzz({tiny_network(), tiny_transformer()}, 60000, [](std::span<const std::byte> bytes) {
    const model::OnnxModel onnx = model::parse_onnx(bytes, "fuzz");
    model::check_weights(onnx.graph, onnx.weights, "fuzz");
    ModelContract contract;
    model::onnx_contract(onnx.metadata, &contract);
  });
}

}  // namespace
}  // namespace likeness
