#include "core/preprocess.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace likeness {
namespace {

TEST(Preprocess, ReadsWhatItWrites) {
  const std::string text = "mean=123.675,116.28,103.53;std=58.395,57.12,57.375;order=bgr";
  const Preprocess p = Preprocess::parse(text);
  EXPECT_DOUBLE_EQ(p.mean[1], 116.28);
  EXPECT_DOUBLE_EQ(p.std[2], 57.375);
  EXPECT_EQ(p.order, "bgr");
  EXPECT_EQ(p.to_string(), text);
  EXPECT_EQ(Preprocess::parse(Preprocess{}.to_string()), Preprocess{});
}

TEST(Preprocess, OneNumberStandsForAllChannelsAndAbsentKeysForTheDefault) {
  EXPECT_EQ(Preprocess::parse("std=128").std, (std::array<double, 3>{128, 128, 128}));
  EXPECT_EQ(Preprocess::parse("std=128").mean, Preprocess{}.mean);
}

TEST(Preprocess, MalformedTextIsAUsageError) {
  for (const char* bad : {"", "mean", "mean=", "mean=1,2", "mean=1,2,3,4", "mean=a", "std=0", "std=1,-1,1", "std=nan",
                          "order=gbr", "means=1", "mean=1;mean=2", "mean=1x"}) {
    try {
      Preprocess::parse(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage) << bad;
    }
  }
  try {
    Preprocess::parse("meen=1");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.parts().hint, "did you mean mean?");
  }
}

ModelContract contract() {
  return {.weights_hash = "abc",
          .preprocess = {},
          .geometry = FaceGeometry::arcface(112),
          .flip = "sum",
          .precision = "f32",
          .dimension = 512};
}

TEST(ModelContract, JsonComesBackEqual) {
  const ModelContract c = contract();
  const ModelContract back = ModelContract::from_json(c.to_json(), "x");
  EXPECT_EQ(back.to_json(), c.to_json());
  EXPECT_EQ(back.difference(c), "");
  for (const char* bad : {"", "{}", "null", "[1]"}) EXPECT_THROW(ModelContract::from_json(bad, "x"), Error) << bad;
  std::string flip = c.to_json();
  flip.replace(flip.find("sum"), 3, "max");
  EXPECT_THROW(ModelContract::from_json(flip, "x"), Error);
}

TEST(ModelContract, BadPreprocessingInAFileIsBadData) {
  std::string text = contract().to_json();
  text.replace(text.find("mean="), 5, "mein=");
  try {
    ModelContract::from_json(text, "a.emb.h5");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    EXPECT_EQ(e.parts().where, "a.emb.h5");
  }
}

TEST(ModelContract, EachPartMakesADifferenceThatIsNamed) {
  const auto differs = [](auto change) {
    ModelContract other = contract();
    change(other);
    return contract().difference(other);
  };
  EXPECT_NE(differs([](auto& c) { c.weights_hash = "abd"; }).find("weights"), std::string::npos);
  EXPECT_NE(differs([](auto& c) { c.preprocess.order = "bgr"; }).find("preprocessing"), std::string::npos);
  EXPECT_NE(differs([](auto& c) { c.geometry = FaceGeometry::arcface(128); }).find("geometry"), std::string::npos);
  EXPECT_EQ(differs([](auto& c) { c.flip = "none"; }), "flip sum and none");
  EXPECT_NE(differs([](auto& c) { c.precision = "bf16"; }).find("precision"), std::string::npos);
  EXPECT_NE(differs([](auto& c) { c.dimension = 128; }).find("dimension 512 and 128"), std::string::npos);
}

}  // namespace
}  // namespace likeness
