// State dicts as PyTorch wrote them (tests/goldens/torch), and as PyTorch reads ours.
#include "model/graph/torch_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/zip.h"
#include "model/graph/backbones.h"
#include "model/graph/interpreter.h"
#include "model/graph/recognise.h"
#include "model/weights_file.h"
#include "tests/model/reference.h"
#include "tests/support/errors.h"
#include "tests/support/process.h"

namespace likeness::model {
namespace {

nlohmann::json expected() { return nlohmann::json::parse(std::ifstream(test::golden("torch/expected.json"))); }

const std::map<std::string, std::string> kDtypes = {
    {"float64", "F64"}, {"float32", "F32"}, {"float16", "F16"}, {"bfloat16", "BF16"}, {"int64", "I64"},
    {"int32", "I32"},   {"int16", "I16"},   {"int8", "I8"},     {"uint8", "U8"},      {"bool", "BOOL"}};

class TorchGolden : public testing::TestWithParam<const char*> {};

TEST_P(TorchGolden, HoldsWhatPyTorchPutThere) {
  const Weights weights = read_torch_file(test::golden(std::string("torch/") + GetParam()));
  const nlohmann::json tensors = expected().at(GetParam());
  EXPECT_EQ(weights.tensors.size(), tensors.size());
  for (const auto& [name, wanted] : tensors.items()) {
    const WeightTensor& t = weights.at(name);
    EXPECT_EQ(t.dtype, kDtypes.at(wanted.at("dtype"))) << name;
    EXPECT_EQ(t.shape, wanted.at("shape").get<std::vector<std::int64_t>>()) << name;
    EXPECT_EQ(t.as_double(), wanted.at("values").get<std::vector<double>>()) << name;
  }
}
// state_dict: of a module with channels-last weights; dtypes: every type, views, a scalar, an empty tensor; checkpoint:
// arcface_torch's form, from a DistributedDataParallel module; legacy: the format before PyTorch 1.6, with views, a
// parameter and several types.
INSTANTIATE_TEST_SUITE_P(All, TorchGolden,
                         testing::Values("state_dict.pt", "dtypes.pt", "checkpoint.pt", "legacy.pth"));

std::vector<std::byte> legacy_file() {
  std::ifstream in(test::golden("torch/legacy.pth"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(LegacyTorchFile, CutAnywhereItIsRefused) {
  const std::vector<std::byte> whole = legacy_file();
  ASSERT_GT(whole.size(), 1000u);
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(test::refusal([&] { parse_torch_file(std::span(whole).first(n), "cut.pth"); }).empty()) << n;
}

TEST(LegacyTorchFile, ViewsOfStoragesAndOtherProtocolsAreRefused) {
  const auto with = [](const std::string& from, const std::string& to) {
    const std::vector<std::byte> bytes = legacy_file();
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    return test::refusal([&] { parse_torch_file(std::as_bytes(std::span(text)), "m.pth"); });
  };
  const auto contains = [](const std::string& text, const std::string& word) {
    return text.find(word) != std::string::npos;
  };
  EXPECT_PRED2(contains, with("M\xe9\x03.", "M\xea\x03."), "1001");
  EXPECT_PRED2(contains, with("endianq\x02\x88", "endianq\x02\x89"), "little-endian");
  EXPECT_PRED2(contains, with("cpuq\tK\x0cNt", "cpuq\tK\x0c)t"), "view of another storage");
  EXPECT_PRED2(contains, with("torch\nFloatStorage", "torch\nQInt8Storage"), "QInt8Storage");
}

TEST(TorchFile, RefusesByNameWhatItDoesNotRead) {
  const auto refusal = [](const char* name) {
    return test::refusal([&] { read_torch_file(test::golden(std::string("torch/") + name)); });
  };
  const std::string module = refusal("must_be_refused_module.pt");
  EXPECT_NE(module.find("torch.nn.modules.linear Linear"), std::string::npos) << module;
  const test::TempDir dir;
  const std::string text = "no zip";
  write_zip(dir / "zip.pt", IfExists::kRefuse, {{"a", std::as_bytes(std::span(text))}});
  EXPECT_NE(test::refusal([&] { read_torch_file(dir / "zip.pt"); }).find("data.pkl"), std::string::npos);
}

// A file whose pickle says `pickle`, beside one storage of `count` f32.
std::string refusal_of(const std::string& pickle, std::size_t count = 4) {
  const test::TempDir dir;
  const std::vector<float> numbers(count, 1.5f);
  write_zip(dir / "m.pt", IfExists::kRefuse,
            {{"m/data.pkl", std::as_bytes(std::span(pickle))}, {"m/data/0", std::as_bytes(std::span(numbers))}});
  try {
    return read_torch_file(dir / "m.pt").tensors.empty() ? "nothing" : "";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    return e.what();
  }
}

// {'a': a tensor of that storage}; sizes and strides as pickled.
std::string one_tensor(const std::string& offset, const std::string& sizes, const std::string& strides,
                       const std::string& storage = "FloatStorage", const std::string& key = "V0\n") {
  return "}Va\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n" + storage + "\n" + key + "Vcpu\nI4\ntQI" +
         offset + "\n(" + sizes + "t(" + strides + "tI00\n}tRs.";
}

TEST(TorchFile, TensorsMustLieInTheirStorage) {
  EXPECT_EQ(refusal_of(one_tensor("0", "I2\nI2\n", "I2\nI1\n")), "");
  EXPECT_EQ(refusal_of(one_tensor("1", "I3\n", "I1\n")), "");
  EXPECT_EQ(refusal_of(one_tensor("4", "I0\n", "I1\n")), "");
  const auto beyond = [](const std::string& pickle) {
    EXPECT_NE(refusal_of(pickle).find("beyond"), std::string::npos) << refusal_of(pickle);
  };
  beyond(one_tensor("2", "I3\n", "I1\n"));
  beyond(one_tensor("-1", "I1\n", "I1\n"));
  beyond(one_tensor("0", "I2\n", "I4\n"));
  beyond(one_tensor("0", "I1000000\n", "I0\n"));  // one number, a million times
  beyond(one_tensor("0", "I1000000000000\nI1000000000000\n", "I1\nI1\n"));
  beyond(one_tensor("0", "I2\n", ""));
  EXPECT_NE(refusal_of(one_tensor("0", "I-1\n", "I1\n")).find("sizes"), std::string::npos);
  EXPECT_NE(refusal_of(one_tensor("0", "I1\n", "I1\n", "QInt8Storage")).find("torch QInt8Storage"), std::string::npos);
  EXPECT_NE(refusal_of(one_tensor("0", "I1\n", "I1\n", "FloatStorage", "V7\n")).find("m/data/7"), std::string::npos);
  EXPECT_NE(refusal_of("cos\nsystem\n(Vtrue\ntR.").find("os system"), std::string::npos);
  EXPECT_NE(refusal_of("}Va\nI1\ns.").find("a dict with a"), std::string::npos);
  // Every view takes memory of its own: no small file becomes a large state dict.
  std::string many = "}";
  for (int i = 0; i < 10; ++i) {
    const std::string one = one_tensor("0", "I4000\n", "I1\n");
    many += "V" + std::to_string(i) + one.substr(2, one.size() - 3);
  }
  EXPECT_NE(refusal_of(many + ".", 4000).find("many views"), std::string::npos);
}

TEST(TorchFile, GivesBackEveryTypeItWrites) {
  const test::TempDir dir;
  Weights weights = read_torch_file(test::golden("torch/dtypes.pt"));
  weights.tensors["wide"] = WeightTensor{"I64", {1}, std::vector<std::byte>(8, std::byte{0x7f})};
  write_torch_file(dir / "m.pt", weights, {"u8", "base"}, IfExists::kRefuse);
  const Weights back = read_torch_file(dir / "m.pt");
  ASSERT_EQ(back.tensors.size(), weights.tensors.size());
  for (const auto& [name, t] : weights.tensors) {
    EXPECT_EQ(back.at(name).dtype, t.dtype) << name;
    EXPECT_EQ(back.at(name).shape, t.shape) << name;
    EXPECT_EQ(back.at(name).data, t.data) << name;
  }
  EXPECT_NE(test::refusal([&] { write_torch_file(dir / "m.pt", weights, {}, IfExists::kRefuse); }, ErrorKind::kUsage)
                .find("--force"),
            std::string::npos);
  weights.tensors["small"] = WeightTensor{"F8_E4M3", {1}, std::vector<std::byte>(1)};
  EXPECT_NE(test::refusal([&] { write_torch_file(dir / "n.pt", weights, {}, IfExists::kRefuse); }, ErrorKind::kUsage)
                .find("tensor small"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "n.pt"));
}

class Recognised : public testing::TestWithParam<BackboneOptions> {};

TEST_P(Recognised, ByNamesAndShapes) {
  const Graph graph = build_backbone(GetParam());
  const std::optional<Graph> found = recognise_backbone(deterministic_fill(graph));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->nodes, graph.nodes);
  EXPECT_EQ(found->options, graph.options);
}
INSTANTIATE_TEST_SUITE_P(All, Recognised,
                         testing::Values(BackboneOptions{.name = "mbf", .input = 64, .embedding = 128},
                                         BackboneOptions{.name = "mbf_large"},
                                         BackboneOptions{.name = "r18", .input = 32, .embedding = 7},
                                         BackboneOptions{.name = "r50"}));

TEST(Recognise, OthersAreNotTaken) {
  Weights weights = deterministic_fill(build_backbone({.name = "mbf", .input = 32}));
  EXPECT_TRUE(recognise_backbone(weights));
  Weights wider = weights;
  wider.tensors["conv_sep.layers.0.weight"].shape = {256, 256, 1, 1};
  EXPECT_FALSE(recognise_backbone(wider));
  Weights fewer = weights;
  fewer.tensors.erase("conv_sep.layers.0.weight");
  EXPECT_FALSE(recognise_backbone(fewer));
  weights.tensors["more"] = fewer.tensors.begin()->second;
  EXPECT_FALSE(recognise_backbone(weights));
  EXPECT_FALSE(recognise_backbone({}));
}

TEST(WeightsFile, ThroughPyTorchAndBackEmbedsAlike) {
  const test::TempDir dir;
  const Graph graph = build_backbone({.name = "r18", .input = 32, .embedding = 24});
  const TrainedModel model{graph, deterministic_fill(graph), arcface_contract(32)};
  save_model(dir / "m.safetensors", model, IfExists::kRefuse);
  write_weights_file(dir / "m.pt", read_weights_file(dir / "m.safetensors"), IfExists::kRefuse);

  WeightsFile back = read_weights_file(dir / "m.pt");
  EXPECT_EQ(back.kind, "PyTorch file");
  EXPECT_FALSE(back.contract);
  ASSERT_TRUE(back.graph);
  back.contract = arcface_torch_contract(*back.graph);
  write_weights_file(dir / "again.safetensors", back, IfExists::kRefuse);
  const TrainedModel again = load_model(dir / "again.safetensors");
  EXPECT_TRUE(again.contract.geometry.same_as(model.contract.geometry));
  EXPECT_EQ(again.contract.preprocess, model.contract.preprocess);
  const std::vector<double> input = Stream("x").uniform(2 * 3 * 32 * 32, -1, 1);
  EXPECT_EQ(Interpreter(again.graph, again.weights).run(input, 2), Interpreter(graph, model.weights).run(input, 2));

  EXPECT_NE(test::refusal([&] { write_weights_file(dir / "m.onnx", back, IfExists::kRefuse); }, ErrorKind::kUsage)
                .find("likeness export onnx"),
            std::string::npos);
  EXPECT_NE(test::refusal([&] { read_weights_file(dir / "nothing.pt"); }).find("nothing there"), std::string::npos);
}

// PyTorch's own reader, in the mode that runs no code of the file.
TEST(TorchCrossCheck, PyTorchLoadsOurFilesAndFindsEveryNumber) {
  const char* python = std::getenv("LIKENESS_TORCH_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "skipped: set LIKENESS_TORCH_PYTHON to a Python that has torch";
  const test::TempDir dir;
  const Graph graph = build_backbone({.name = "mbf", .input = 32, .embedding = 24});
  const Weights weights = deterministic_fill(graph);
  std::vector<std::string> order;
  for (const TensorSpec& spec : graph.tensors) order.push_back(spec.name);
  write_torch_file(dir / "mbf.pt", weights, order, IfExists::kRefuse);
  write_torch_file(dir / "dtypes.pt", read_torch_file(test::golden("torch/dtypes.pt")), {}, IfExists::kRefuse);
  std::ofstream(dir / "check.py") << R"(import json, sys, torch
folder, golden = sys.argv[1:]
wanted = torch.load(golden + '/dtypes.pt', weights_only=True)
got = torch.load(folder + '/dtypes.pt', weights_only=True, mmap=True)
assert sorted(got) == sorted(wanted), list(got)
for name, t in wanted.items():
    assert got[name].dtype == t.dtype and got[name].is_contiguous() and torch.equal(got[name], t), name
mbf = torch.load(folder + '/mbf.pt', weights_only=True)
torch.save(mbf, folder + '/again.pt')
print(json.dumps([[name, list(t.shape)] for name, t in mbf.items()]))
)";
  const test::ProcessResult r =
      test::run_process(python, {(dir / "check.py").string(), dir.path().string(), test::golden("torch").string()});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const nlohmann::json listed = nlohmann::json::parse(r.out);
  ASSERT_EQ(listed.size(), graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    EXPECT_EQ(listed[i][0], graph.tensors[i].name) << "the state dict's order";
    EXPECT_EQ(listed[i][1].get<std::vector<std::int64_t>>(), graph.tensors[i].shape);
  }
  const Weights again = read_torch_file(dir / "again.pt");
  for (const auto& [name, t] : weights.tensors) EXPECT_EQ(again.at(name).data, t.data) << name;
}

}  // namespace
}  // namespace likeness::model
