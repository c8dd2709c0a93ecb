#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/graph/weights_tools.h"
#include "tests/support/errors.h"

namespace likeness::model {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

WeightTensor tensor(const std::vector<double>& values) {
  return WeightTensor::f64({static_cast<std::int64_t>(values.size())}, values.data());
}

TEST(WeightsTools, FactsAreOfTheFiniteNumbers) {
  const TensorFacts f = facts_of(tensor({3, -4, kNan, kInfinity, 0}));
  EXPECT_EQ(f.elements, 5);
  EXPECT_EQ(f.non_finite, 2);
  EXPECT_EQ(f.low, -4);
  EXPECT_EQ(f.high, 3);
  EXPECT_DOUBLE_EQ(f.mean, -1.0 / 3);
  EXPECT_EQ(f.norm, 5);
  EXPECT_EQ(facts_of(tensor({kNan})).high, 0);
  EXPECT_EQ(facts_of(tensor({})).elements, 0);
}

TEST(WeightsTools, DifferencesAreMeasured) {
  EXPECT_TRUE(difference(tensor({1, kNan, kInfinity}), tensor({1, kNan, kInfinity})).equal());
  const TensorDifference d = difference(tensor({3, 4}), tensor({3, 4.5}));
  EXPECT_EQ(d.largest, .5);
  EXPECT_DOUBLE_EQ(d.relative, .1);
  EXPECT_DOUBLE_EQ(d.cosine, (9 + 18) / (5 * std::sqrt(9 + 20.25)));
  EXPECT_EQ(difference(tensor({1, 0}), tensor({1, kNan})).largest, kInfinity);
  EXPECT_EQ(difference(tensor({1}), tensor({-kInfinity})).largest, kInfinity);
  EXPECT_EQ(difference(tensor({0}), tensor({1})).cosine, 0);
  const float narrow = 1.5f;
  EXPECT_TRUE(difference(tensor({1.5}), WeightTensor::f32({1}, &narrow)).equal());
}

TEST(WeightsTools, TheMeanIsWeightedAndKeepsCounters) {
  const std::int64_t seven = 7, nine = 9;
  Weights a, b;
  a.tensors["w"] = tensor({1, 2});
  b.tensors["w"] = tensor({4, -1});
  a.tensors["n"] = WeightTensor::i64({}, &seven);
  b.tensors["n"] = WeightTensor::i64({}, &nine);
  a.metadata["note"] = "kept";
  const std::vector<const Weights*> both{&a, &b};
  const Weights mean = average(both, {2, 1}, {"a", "b"});
  EXPECT_EQ(mean.at("w").dtype, "F32");
  EXPECT_EQ(mean.at("w").as_double(), (std::vector<double>{2, 1}));
  EXPECT_EQ(mean.at("n").as_double(), std::vector<double>{7});
  EXPECT_EQ(mean.metadata.at("note"), "kept");
}

TEST(WeightsTools, OtherNetworksHaveNoMean) {
  const auto refusal = [](const Weights& a, const Weights& b) {
    const std::vector<const Weights*> both{&a, &b};
    return test::refusal([&] { average(both, {1, 1}, {"a", "b"}); });
  };
  Weights a, b;
  a.tensors["w"] = tensor({1, 2});
  b.tensors["w"] = tensor({1, 2, 3});
  EXPECT_NE(refusal(a, b).find("b, tensor w"), std::string::npos);
  b.tensors["w"] = tensor({1, kNan});
  EXPECT_NE(refusal(a, b).find("not finite"), std::string::npos);
  b.tensors["w"] = tensor({1, 1});
  b.tensors["v"] = tensor({1});
  EXPECT_NE(refusal(a, b).find("tensor v"), std::string::npos);
  EXPECT_NE(refusal(b, a).find("tensor v"), std::string::npos);
}

}  // namespace
}  // namespace likeness::model
