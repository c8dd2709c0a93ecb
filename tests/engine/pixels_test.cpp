#include <gtest/gtest.h>

#include "engine/engine.h"

namespace likeness::engine {
namespace {

ModelContract contract(int height, int width) {
  ModelContract c;
  c.geometry = FaceGeometry::unknown(width, height);
  return c;
}

TEST(ToInput, LaysPixelsOutByChannel) {
  const std::vector<std::uint8_t> pixels{0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 255};  // 1 picture of 2x2
  const std::vector<float> input = to_input(pixels.data(), 1, contract(2, 2), false);
  ASSERT_EQ(input.size(), 12u);
  const std::uint8_t expected[12] = {0, 30, 60, 90, 10, 40, 70, 100, 20, 50, 80, 255};
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(input[i], static_cast<float>((expected[i] - 127.5) / 127.5)) << i;
}

TEST(ToInput, MirrorsEachRow) {
  const std::vector<std::uint8_t> pixels{1, 1, 1, 2, 2, 2, 3, 3, 3};  // 1x3
  const ModelContract c = contract(1, 3);
  const std::vector<float> plain = to_input(pixels.data(), 1, c, false), mirrored = to_input(pixels.data(), 1, c, true);
  for (std::size_t channel = 0; channel < 3; ++channel)
    for (std::size_t x = 0; x < 3; ++x) EXPECT_EQ(mirrored[channel * 3 + x], plain[channel * 3 + 2 - x]);
}

TEST(ToInput, FollowsMeanStdAndOrderOfTheNetworksChannels) {
  const std::vector<std::uint8_t> pixels{200, 100, 50};
  ModelContract c = contract(1, 1);
  c.preprocess = Preprocess::parse("mean=1,2,3;std=2,4,8;order=bgr");
  const std::vector<float> bgr = to_input(pixels.data(), 1, c, false);
  EXPECT_EQ(bgr, (std::vector<float>{(50 - 1) / 2.0f, (100 - 2) / 4.0f, (200 - 3) / 8.0f}));
  c.preprocess.order = "rgb";
  const std::vector<float> rgb = to_input(pixels.data(), 1, c, false);
  EXPECT_EQ(rgb, (std::vector<float>{(200 - 1) / 2.0f, (100 - 2) / 4.0f, (50 - 3) / 8.0f}));
}

TEST(ToInput, KeepsPicturesApart) {
  const std::vector<std::uint8_t> pixels{10, 20, 30, 110, 120, 130};
  const ModelContract c = contract(1, 1);
  const std::vector<float> both = to_input(pixels.data(), 2, c, false);
  const std::vector<float> second = to_input(pixels.data() + 3, 1, c, false);
  EXPECT_EQ(std::vector<float>(both.begin() + 3, both.end()), second);
}

}  // namespace
}  // namespace likeness::engine
