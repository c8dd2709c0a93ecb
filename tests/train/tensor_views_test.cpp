// What TensorBoard is shown of a run: values and pictures.
#include "train/tensor_views.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numeric>

#include "tests/train/toy_run.h"

namespace likeness::train {
namespace {

TEST(TensorViews, AHistogramCountsEveryFiniteValueOnce) {
  const at::Tensor values =
      at::tensor({-2.0, -1.5, 0.0, 0.5, 1.99, 2.0, std::nan(""), -INFINITY}, at::kDouble).reshape({2, 4});
  const Histogram h = histogram_of(values, 4);
  EXPECT_EQ(h.low, -2);
  EXPECT_EQ(h.high, 2);
  EXPECT_EQ(h.count, 6);
  EXPECT_DOUBLE_EQ(h.sum, .99);
  EXPECT_DOUBLE_EQ(h.sum_of_squares, 4 + 2.25 + .25 + 1.99 * 1.99 + 4);
  EXPECT_EQ(h.edges, (std::vector<double>{-1, 0, 1, 2}));
  EXPECT_EQ(h.counts, (std::vector<double>{2, 0, 2, 2}));
}

TEST(TensorViews, OddSeriesHaveHistogramsToo) {
  const Histogram same = histogram_of(at::full({3, 5}, .25, at::kFloat));
  EXPECT_EQ(same.edges, std::vector<double>{.25});
  EXPECT_EQ(same.counts, std::vector<double>{15});
  EXPECT_EQ(histogram_of(at::full({2}, std::nan(""))).count, 0);
  const Histogram many = histogram_of(at::randn({1000}, at::kBFloat16));
  EXPECT_EQ(std::accumulate(many.counts.begin(), many.counts.end(), 0.0), 1000);
  EXPECT_EQ(many.edges.back(), many.high);
}

TEST(TensorViews, PicturesStandRowByRowInAGrid) {
  const at::Tensor pixels = at::arange(7 * 2 * 3 * 3, at::kByte).reshape({7, 2, 3, 3});
  const data::Image grid = picture_grid(pixels, 5);  // 3 columns, 2 rows, the last cell black
  ASSERT_EQ(grid.width, 9);
  ASSERT_EQ(grid.height, 4);
  const auto at_cell = [&](int cell, int y, int x, int c) {
    return grid.pixels[static_cast<std::size_t>(((cell / 3 * 2 + y) * 9 + cell % 3 * 3 + x) * 3 + c)];
  };
  for (int cell = 0; cell < 6; ++cell)
    for (int y = 0; y < 2; ++y)
      for (int x = 0; x < 3; ++x)
        EXPECT_EQ(at_cell(cell, y, x, 1), cell < 5 ? ((cell * 2 + y) * 3 + x) * 3 + 1 : 0) << cell << y << x;
}

class ViewsOfARun : public test::ToyRuns {
 protected:
  // Where the event file of a run mentions `tag`, how often.
  int mentions(const std::string& run, const std::string& tag) const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / run)) {
      if (!entry.path().filename().string().starts_with("events.")) continue;
      const std::string text = test::read_text_file(entry.path());
      for (std::size_t at = text.find(tag); at != std::string::npos; at = text.find(tag, at + 1)) ++count;
    }
    return count;
  }
};

TEST_F(ViewsOfARun, HistogramsComeOnDemandAndPicturesOnce) {
  run_training(request("plain", 6), {});
  EXPECT_EQ(mentions("plain", "train/first_batch"), 1);
  EXPECT_EQ(mentions("plain", "weights/"), 0);
  stop_and_resume("seen", 6, 2, {"tensorboard.histograms=2", "tensorboard.pictures=3"});
  EXPECT_EQ(mentions("seen", "train/first_batch"), 1);
  EXPECT_EQ(mentions("seen", "weights/layers.0.layers.0.weight"), 3);
  EXPECT_EQ(mentions("seen", "gradients/layers.0.layers.0.weight"), 3);
  expect_same_end("plain", "seen");
  run_training(request("none", 1, {"tensorboard.pictures=0"}), {});
  EXPECT_EQ(mentions("none", "train/first_batch"), 0);
}

}  // namespace
}  // namespace likeness::train
