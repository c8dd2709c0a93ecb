// `likeness train weights` as a user runs it.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/graph/torch_file.h"
#include "tests/engine/small_model.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::train {
namespace {

class WeightsProgram : public testing::Test {
 protected:
  WeightsProgram() {
    test::save_small_model(dir_ / "a.safetensors", 1);
    test::save_small_model(dir_ / "b.safetensors", 2);
  }
  test::ProcessResult weights(std::vector<std::string> args, int code = 0) {
    args.insert(args.begin(), "weights");
    test::ProcessOptions options;
    options.cwd = dir_.path();
    const test::ProcessResult r = test::run_process("likeness-train", args, options);
    EXPECT_EQ(r.exit_code, code) << r.out << r.err;
    return r;
  }
  nlohmann::json json(std::vector<std::string> args, int code = 0) {
    args.push_back("--json");
    return nlohmann::json::parse(weights(std::move(args), code).out);
  }
  test::TempDir dir_;
};

TEST_F(WeightsProgram, ConvertsToPyTorchAndBackWithEqualOutputs) {
  const auto to = json({"convert", "a.safetensors", "a.pt"});
  EXPECT_EQ(to.at("network"), "mbf");
  const test::ProcessResult back = weights({"convert", "a.pt", "back.safetensors"});
  EXPECT_NE(back.out.find("as arcface_torch feeds its networks"), std::string::npos) << back.out;
  EXPECT_EQ(json({"diff", "a.safetensors", "back.safetensors"}).at("equal"), true);
  const model::TrainedModel a = model::load_model(dir_ / "a.safetensors"),
                            b = model::load_model(dir_ / "back.safetensors");
  EXPECT_EQ(a.contract.difference(b.contract), "");
  weights({"convert", "a.pt", "back.safetensors"}, 2);
  const auto forced =
      json({"convert", "a.pt", "back.safetensors", "--force", "--preprocess", "mean=0,0,0;std=255,255,255;order=bgr"});
  EXPECT_EQ(model::load_model(dir_ / "back.safetensors").contract.preprocess.order, "bgr");
  EXPECT_NE(weights({"convert", "a.safetensors", "c.safetensors", "--geometry", "arcface"}, 2).err.find("says itself"),
            std::string::npos);
  EXPECT_NE(weights({"convert", "a.safetensors", "c.onnx"}, 2).err.find("likeness export onnx"), std::string::npos);
  EXPECT_EQ(weights({"convert", "nowhere", "c.pt"}, 4).out, "");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "c.pt"));
}

TEST_F(WeightsProgram, ABareStateDictOfAnotherNetworkStaysOne) {
  model::Weights other;
  const float one = 1;
  other.tensors["x"] = model::WeightTensor::f32({1}, &one);
  model::write_torch_file(dir_ / "x.pt", other, {}, IfExists::kRefuse);
  EXPECT_NE(weights({"convert", "x.pt", "x.safetensors"}).out.find("no network of ours"), std::string::npos);
  EXPECT_EQ(json({"inspect", "x.safetensors"}).at("network"), nullptr);
}

TEST_F(WeightsProgram, InspectListsTensorsAndWhatIsNotFinite) {
  const auto whole = json({"inspect", "a.safetensors"});
  EXPECT_EQ(whole.at("network").at("architecture"), "mbf");
  EXPECT_EQ(whole.at("network").at("embedding"), 24);
  EXPECT_EQ(whole.at("non_finite"), 0);
  EXPECT_EQ(whole.at("tensors")[0].at("name"), "layers.0.layers.0.weight");  // in the state dict's order
  EXPECT_GT(whole.at("tensors")[0].at("norm"), 0);
  model::Weights broken;
  const std::vector<float> values{1, NAN, INFINITY};
  broken.tensors["w"] = model::WeightTensor::f32({3}, values.data());
  model::write_torch_file(dir_ / "broken.pt", broken, {}, IfExists::kRefuse);
  EXPECT_EQ(json({"inspect", "broken.pt"}).at("tensors")[0].at("non_finite"), 2);
  EXPECT_NE(weights({"inspect", "broken.pt"}).out.find("2 not finite"), std::string::npos);
  EXPECT_EQ(weights({"inspect", "a.safetensors", "--out", "facts.json"}).exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(test::read_file(dir_ / "facts.json")).at("kind"), "likeness model");
}

TEST_F(WeightsProgram, DifferencesAreNamedAndFailTheCheck) {
  EXPECT_NE(weights({"diff", "a.safetensors", "a.safetensors"}).out.find("are equal"), std::string::npos);
  const auto d = json({"diff", "a.safetensors", "b.safetensors"}, 1);
  EXPECT_EQ(d.at("equal"), false);
  EXPECT_GT(d.at("values").size(), 100u);
  EXPECT_EQ(d.at("only_in_a").size(), 0u);
  EXPECT_GT(d.at("values")[0].at("largest"), 0);
  EXPECT_EQ(json({"diff", "a.safetensors", "b.safetensors", "--tolerance", "100"}).at("equal"), true);
  model::Weights fewer = model::read_safetensors(dir_ / "a.safetensors");
  fewer.metadata.clear();
  fewer.tensors.erase("conv_sep.layers.0.weight");
  model::write_safetensors(dir_ / "fewer.safetensors", fewer, IfExists::kRefuse);
  EXPECT_EQ(json({"diff", "a.safetensors", "fewer.safetensors"}, 1).at("only_in_a")[0], "conv_sep.layers.0.weight");
}

TEST_F(WeightsProgram, AveragesModelsOfOneNetwork) {
  json({"average", "a.safetensors", "b.safetensors", "--shares", "3,1", "--to", "mean.safetensors"});
  const model::TrainedModel a = model::load_model(dir_ / "a.safetensors"),
                            b = model::load_model(dir_ / "b.safetensors"),
                            mean = model::load_model(dir_ / "mean.safetensors");
  const std::string name = "features.layers.3.running_var";
  const auto va = a.weights.at(name).as_double(), vb = b.weights.at(name).as_double(),
             vm = mean.weights.at(name).as_double();
  for (std::size_t i = 0; i < vm.size(); ++i) EXPECT_NEAR(vm[i], .75 * va[i] + .25 * vb[i], 1e-7);
  weights({"average", "a.safetensors", "b.safetensors", "--to", "mean.safetensors"}, 2);
  weights({"average", "a.safetensors", "b.safetensors", "--shares", "1", "--to", "other.safetensors"}, 2);
  weights({"average", "a.safetensors", "--to", "other.safetensors"}, 2);
  model::TrainedModel bgr = a;
  bgr.contract.preprocess.order = "bgr";
  model::save_model(dir_ / "bgr.safetensors", bgr, IfExists::kRefuse);
  EXPECT_NE(weights({"average", "a.safetensors", "bgr.safetensors", "--to", "other.safetensors"}, 4).err.find("bgr"),
            std::string::npos);
}

TEST_F(WeightsProgram, ExplainsItself) {
  const test::ProcessResult whole = weights({"--help"});
  for (const char* verb : {"convert", "inspect", "diff", "average", "--json"})
    EXPECT_NE(whole.out.find(verb), std::string::npos) << whole.out;
  EXPECT_NE(weights({"diff", "--help"}).out.find("--tolerance"), std::string::npos);
  weights({}, 2);
  EXPECT_NE(weights({"avrage"}, 2).err.find("avrage"), std::string::npos);
}

}  // namespace
}  // namespace likeness::train
