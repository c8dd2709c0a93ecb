// What a run reports of its steps: those that stand out, by their pictures.
#include "train/meters.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/progress.h"
#include "data/loader.h"
#include "tests/support/paths.h"
#include "tests/train/toy_set.h"
#include "train/run_identity.h"
#include "train/session.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::read_text_file;

class MetersTest : public testing::Test {
 protected:
  MetersTest() {
    set_progress_quiet(true);
    data_ = test::make_toy_set(dir_ / "faces");
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(data_, 40));
  }
  // The last checkpoint's head.
  std::string run(const std::string& out, std::vector<std::string> assignments) {
    const TrainOutcome end = run_training({.config = dir_ / "toy.yaml",
                                           .assignments = std::move(assignments),
                                           .out = dir_ / out,
                                           .threads = 1,
                                           .device = "cpu",
                                           .command = "test"},
                                          {});
    EXPECT_EQ(end.last.step, 40);
    return read_text_file(*newest_checkpoint(dir_ / out) / "head.safetensors");
  }

  test::TempDir dir_;
  fs::path data_;
};

// A step between two log lines at which everything is ten times as large.
TEST_F(MetersTest, AStepThatStandsOutIsNamedAndTheRestOfItsWindowIsNot) {
  Meters meters([](std::int64_t i) { return std::to_string(i); }, 1, {.z = 6, .window = 40});
  const std::int64_t picture = 3;
  for (std::int64_t step = 1; step <= 30; ++step) {
    const double factor = step == 25 ? 10 : 1, wave = 1 + .1 * std::sin(static_cast<double>(step));
    if (step == 20) continue;  // was skipped
    meters.add(step, {.loss = at::scalar_tensor(4 * wave * factor), .gradient_norm = at::scalar_tensor(wave * factor)},
               &picture, 1);
  }
  LogRow row;
  ASSERT_TRUE(meters.flush(&row));
  EXPECT_EQ(row.step, 30);
  ASSERT_EQ(meters.outliers().size(), 2u);
  EXPECT_EQ(meters.outliers()[0].metric, "loss");
  EXPECT_EQ(meters.outliers()[1].metric, "gradient_norm");
  for (const Outlier& o : meters.outliers()) EXPECT_EQ(o.step, 25);
  meters.add(31, {.loss = at::scalar_tensor(4.), .gradient_norm = at::scalar_tensor(1.)}, &picture, 1);
  ASSERT_TRUE(meters.flush(&row));
  EXPECT_TRUE(meters.outliers().empty());
}

// With a window of four everything that rises stands out; the log names the pictures, and nothing else changes.
TEST_F(MetersTest, ARunLogsWhatStandsOutAndGoesOn) {
  const std::string head = run("run", {"outliers.z=0.5", "outliers.window=4", "optimizer.rate=0.1"});
  const std::string log = read_text_file(dir_ / "run/log.jsonl");
  EXPECT_NE(log.find("\"kind\":\"outlier\""), std::string::npos);
  EXPECT_NE(log.find("\"pictures\":[\"p1"), std::string::npos);
  EXPECT_TRUE(run("silent", {"outliers.z=0", "optimizer.rate=0.1"}) == head);
  EXPECT_EQ(read_text_file(dir_ / "silent/log.jsonl").find("outlier"), std::string::npos);
}

TEST_F(MetersTest, PicturesOfAStepAreThoseTheLoaderGave) {
  const auto source = data::open_faces(data_);
  const auto sampling = [](int rank) { return data::SamplerOptions{.seed = 7, .rank = rank, .world = 2, .batch = 3}; };
  std::vector<std::vector<std::int64_t>> given(5);
  for (const int rank : {0, 1}) {
    data::Loader loader(*source,
                        {.geometry = FaceGeometry::unknown(16, 16), .sampler = sampling(rank), .allocate = {}});
    for (auto& step : given)
      for (int micro = 0; micro < 2; ++micro) {
        const data::Batch& batch = loader.next();
        step.insert(step.end(), batch.index, batch.index + batch.size);
      }
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    std::vector<std::int64_t> named =
        pictures_of_step(sampling(1), source->size(), 2, static_cast<std::int64_t>(i) + 1);
    std::sort(named.begin(), named.end()), std::sort(given[i].begin(), given[i].end());
    EXPECT_EQ(named, given[i]) << i;
  }
}

}  // namespace
}  // namespace likeness::train
