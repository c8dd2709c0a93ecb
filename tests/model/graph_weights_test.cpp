#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/rng.h"
#include "model/graph/weights.h"
#include "tests/model/reference.h"

namespace likeness::model {
namespace {

std::uint32_t bits(double value) {
  const float f = static_cast<float>(value);
  std::uint32_t u;
  std::memcpy(&u, &f, sizeof u);
  return u;
}

std::string refusal(const Graph& graph, const Weights& weights) {
  try {
    check_weights(graph, weights, "file.safetensors");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    return e.what();
  }
  return "";
}

TEST(DeterministicFill, PassesItsSelfCheck) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325ull);
  EXPECT_EQ(fnv1a("input"), 0x1ebbae8f5810b65bull);
  EXPECT_EQ(fnv1a("conv1.weight"), 0x69a29a2cee47d254ull);
  const Weights weights = deterministic_fill(build_backbone({.name = "r18"}));
  const std::vector<double> conv = weights.at("conv1.weight").as_double();
  const std::uint32_t expected[] = {0x3cf62b63, 0x3e275d1f, 0xbea2d7bc, 0x3e213e90};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(bits(conv[i]), expected[i]);
  const std::vector<double> slope = weights.at("prelu.weight").as_double();
  EXPECT_EQ(static_cast<float>(slope[0]), 0.249994844f);
  EXPECT_EQ(static_cast<float>(slope[1]), 0.258339465f);
  EXPECT_EQ(static_cast<float>(weights.at("fc.weight").as_double()[0]), -0.000335802877f);
  EXPECT_EQ(weights.at("bn1.num_batches_tracked").dtype, "I64");
}

TEST(DeterministicFill, ReferencePicturesFollowTheFormula) {
  const std::vector<double> pixels = test::Npz(test::golden("images.npz")).at("input_u8").as_double();
  Stream blocks("input"), noise("input.noise");
  std::vector<std::uint64_t> block(14 * 14 * 3);
  for (auto& b : block) b = blocks.next() >> 56;
  double sum = 0;
  for (int y = 0; y < 112; ++y) {
    for (int x = 0; x < 112; ++x) {
      for (int c = 0; c < 3; ++c) {
        const std::uint64_t pixel = (3 * block[((y / 8) * 14 + x / 8) * 3 + c] + (noise.next() >> 56)) / 4;
        ASSERT_EQ(pixels[(y * 112 + x) * 3 + c], static_cast<double>(pixel));
        sum += static_cast<double>(pixel);
      }
    }
  }
  EXPECT_EQ(sum, 4671439);
}

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};
Moments moments(const std::vector<double>& v) {
  Moments m;
  for (double x : v) {
    m.mean += x / static_cast<double>(v.size());
    m.largest = std::max(m.largest, std::abs(x));
  }
  for (double x : v) m.deviation += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST(InitialWeights, FollowArcfaceTorch) {
  const Graph r18 = build_backbone({.name = "r18", .input = 64});
  const Weights weights = initial_weights(r18, 1);
  EXPECT_EQ(refusal(r18, weights), "");
  const Moments conv = moments(weights.at("layer3.0.conv2.weight").as_double());  // 589,824 draws
  EXPECT_NEAR(conv.mean, 0, 5 * 0.1 / 768);
  EXPECT_NEAR(conv.deviation, 0.1, 5 * 0.1 / (1.41 * 768));
  const double bound = 1 / std::sqrt(512.0 * 16);
  for (const char* name : {"fc.weight", "fc.bias"}) {
    const Moments fc = moments(weights.at(name).as_double());
    EXPECT_LE(fc.largest, bound) << name;
    EXPECT_GT(fc.largest, 0.9 * bound) << name;
  }
  EXPECT_NEAR(moments(weights.at("fc.weight").as_double()).deviation, bound / std::sqrt(3.0), 1e-2 * bound);
  for (double v : weights.at("layer1.0.bn3.weight").as_double()) EXPECT_EQ(v, 1);
  for (double v : weights.at("layer1.0.bn3.bias").as_double()) EXPECT_EQ(v, 0);
  for (double v : weights.at("features.weight").as_double()) EXPECT_EQ(v, 1);
  for (double v : weights.at("bn1.running_var").as_double()) EXPECT_EQ(v, 1);
  for (double v : weights.at("bn1.running_mean").as_double()) EXPECT_EQ(v, 0);
  for (double v : weights.at("layer1.0.prelu.weight").as_double()) EXPECT_EQ(v, 0.25);

  const Weights mbf = initial_weights(build_backbone({.name = "mbf"}), 1);
  const double narrow = std::sqrt(2.0 / 512), deep = std::sqrt(2.0 / (512 * 9));
  EXPECT_NEAR(moments(mbf.at("conv_sep.layers.0.weight").as_double()).deviation, narrow, 0.02 * narrow);
  EXPECT_NEAR(moments(mbf.at("layers.6.layers.1.layers.0.weight").as_double()).deviation, deep,
              0.05 * deep);  // groups do not count
  EXPECT_NEAR(moments(mbf.at("features.layers.2.weight").as_double()).deviation, narrow, 0.02 * narrow);
}

TEST(InitialWeights, OfVitFollowArcfaceTorch) {
  const Graph graph = build_backbone({.name = "vit_t"});
  const Weights weights = initial_weights(graph, 1);
  EXPECT_EQ(refusal(graph, weights), "");
  for (const char* name : {"pos_embed", "blocks.3.attn.qkv.weight", "blocks.11.mlp.fc1.weight", "feature.0.weight"})
    EXPECT_NEAR(moments(weights.at(name).as_double()).deviation, 0.02, 0.02 * 0.02) << name;
  EXPECT_NEAR(moments(weights.at("mask_token").as_double()).deviation, 0.02, 0.005);
  const double bound = 1 / std::sqrt(3.0 * 81);
  for (const char* name : {"patch_embed.proj.weight", "patch_embed.proj.bias"}) {
    const Moments patch = moments(weights.at(name).as_double());
    EXPECT_LE(patch.largest, bound) << name;
    EXPECT_GT(patch.largest, 0.9 * bound) << name;
  }
  for (const char* name : {"blocks.3.attn.proj.bias", "blocks.3.mlp.fc1.bias", "norm.bias", "feature.1.bias"})
    for (double v : weights.at(name).as_double()) EXPECT_EQ(v, 0) << name;
  for (const char* name : {"blocks.3.norm2.weight", "norm.weight", "feature.3.weight"})
    for (double v : weights.at(name).as_double()) EXPECT_EQ(v, 1) << name;
}

TEST(InitialWeights, DependOnSeedAndNameOnly) {
  const Graph small = build_backbone({.name = "mbf", .input = 64});
  const Graph large = build_backbone({.name = "mbf", .input = 112});
  EXPECT_EQ(weights_hash(small, initial_weights(small, 7)), weights_hash(small, initial_weights(small, 7)));
  EXPECT_NE(weights_hash(small, initial_weights(small, 7)), weights_hash(small, initial_weights(small, 8)));
  const std::string first = "layers.0.layers.0.weight";
  EXPECT_EQ(initial_weights(small, 7).at(first).data, initial_weights(large, 7).at(first).data);
  EXPECT_NE(initial_weights(small, 7).at(first).data, initial_weights(small, 8).at(first).data);
}

TEST(CheckWeights, NamesTheFirstTensorThatDoesNotFit) {
  const Graph graph = build_backbone({.name = "mbf", .input = 64});
  const Weights good = deterministic_fill(graph);
  EXPECT_EQ(refusal(graph, good), "");

  const Weights r18 = deterministic_fill(build_backbone({.name = "r18", .input = 64}));
  const std::string other = refusal(graph, r18);
  EXPECT_NE(other.find("network mbf"), std::string::npos) << other;
  EXPECT_NE(other.find("file.safetensors, tensor layers.0.layers.0.weight"), std::string::npos) << other;
  EXPECT_NE(other.find("F32 [128,3,3,3]"), std::string::npos) << other;

  const std::string size = refusal(graph, deterministic_fill(build_backbone({.name = "mbf", .input = 112})));
  EXPECT_NE(size.find("features.layers.0.layers.0.weight"), std::string::npos) << size;
  EXPECT_NE(size.find("[512,1,7,7]"), std::string::npos) << size;

  Weights extra = good;
  extra.tensors["head.weight"] = good.at("conv_sep.layers.0.weight");
  EXPECT_NE(refusal(graph, extra).find("tensor head.weight"), std::string::npos);
  Weights typed = good;
  typed.tensors["conv_sep.layers.0.weight"].dtype = "I32";
  EXPECT_NE(refusal(graph, typed).find("I32 [512,256,1,1]"), std::string::npos);
}

TEST(WeightsHash, IsAboutValuesAndNotAboutStorage) {
  const Graph graph = build_backbone({.name = "mbf", .input = 64, .embedding = 32});
  const Weights weights = deterministic_fill(graph);
  const std::string hash = weights_hash(graph, weights);
  EXPECT_EQ(hash.size(), 32u);

  Weights wide = weights;
  for (auto& [name, t] : wide.tensors) {
    if (t.dtype == "F32") t = WeightTensor::f64(t.shape, t.as_double().data());
  }
  wide.metadata["note"] = "stored in f64";
  const std::int64_t steps = 1000;
  wide.tensors["layers.0.layers.1.num_batches_tracked"] = WeightTensor::i64({}, &steps);
  EXPECT_EQ(weights_hash(graph, wide), hash);

  for (const char* name : {"layers.0.layers.0.weight", "features.layers.3.running_var"}) {
    Weights changed = weights;
    changed.tensors[name].data.back() ^= std::byte{1};
    EXPECT_NE(weights_hash(graph, changed), hash) << name;
  }
}

// No embedding depends on it, and ONNX does not hold it.
TEST(WeightsHash, DoesNotCountTheMaskToken) {
  const Graph graph = build_backbone({.name = "vit_t", .input = 18, .embedding = 8});
  Weights weights = deterministic_fill(graph);
  const std::string hash = weights_hash(graph, weights);
  weights.tensors["mask_token"].data.back() ^= std::byte{1};
  EXPECT_EQ(weights_hash(graph, weights), hash);
  weights.tensors["pos_embed"].data.back() ^= std::byte{1};
  EXPECT_NE(weights_hash(graph, weights), hash);
}

}  // namespace
}  // namespace likeness::model
