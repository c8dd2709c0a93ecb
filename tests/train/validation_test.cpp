// Validation over ranks: the archive of one rank, bit for bit; and what becomes of a run that is stopped meanwhile.
#include "train/validation.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <atomic>
#include <type_traits>

#include "core/progress.h"
#include "core/signals.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"
#include "tests/train/ranks.h"
#include "tests/train/toy_set.h"
#include "train/live_engine.h"
#include "train/session.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using test::error_of;

class ValidationTest : public testing::Test {
 protected:
  ValidationTest() {
    at::set_num_threads(1);
    contract_.geometry = FaceGeometry::unknown(16, 16);
    contract_.dimension = 8;
  }
  ~ValidationTest() override { set_stop_signal(0); }
  std::unique_ptr<model::TorchModel> network() const {
    const model::Graph graph = model::build_backbone({.name = "mbf", .input = 16, .embedding = 8});
    return std::make_unique<model::TorchModel>(graph, model::initial_weights(graph, 3), at::kFloat);
  }
  // body(engine) on ranks that hold the same network, each on one thread.
  template <class Engine = LiveEngine>
  void on_ranks(int ranks, const std::type_identity_t<std::function<void(Engine&, Group&)>>& body) {
    test::on_ranks(ranks, [&](Group& group) {
      at::set_num_threads(1);
      const auto model = network();
      Engine live(*model, contract_, &group);
      body(live, group);
    });
  }

  test::TempDir dir_;
  ModelContract contract_;
};

TEST_F(ValidationTest, RanksTogetherHaveTheArchiveOfOne) {
  const auto source = data::open_faces(test::make_toy_set(dir_ / "faces", 7, 25));  // three batches, the last short
  std::vector<std::int64_t> some;
  for (std::int64_t i = 0; i < 70; ++i) some.push_back(174 - 2 * i);  // two batches: a rank of three has nothing to do
  const auto model = network();
  for (const std::vector<std::int64_t>* rows : {static_cast<std::vector<std::int64_t>*>(nullptr), &some}) {
    LiveEngine alone(*model, contract_);
    const EmbeddingArchive one = engine::embed(alone, *source, {}, rows);
    for (const int ranks : {2, 3})
      on_ranks(ranks, [&](LiveEngine& live, Group& group) {
        const auto archive = embed_over_ranks(live, *source, rows);
        ASSERT_EQ(archive.has_value(), group.rank() == 0);
        if (!archive) return;
        EXPECT_TRUE(archive->embeddings == one.embeddings);
        EXPECT_TRUE(archive->norms == one.norms);
        EXPECT_TRUE(archive->failed == one.failed);
        EXPECT_TRUE(archive->keys == one.keys);
        EXPECT_TRUE(archive->subjects == one.subjects);
        EXPECT_EQ(archive->data_digest, one.data_digest);
        EXPECT_EQ(archive->contract.to_json(), one.contract.to_json());
      });
  }
}

TEST_F(ValidationTest, APictureThatOneRankCannotReadStopsAll) {
  const fs::path folder = test::make_toy_set(dir_ / "faces", 7, 25);
  test::write_text(folder / "p16/7.jpg", "no picture");  // in the last batch
  const auto source = data::open_faces(folder);
  std::atomic<int> own = 0;
  on_ranks(3, [&](LiveEngine& live, Group& group) {
    const Error e = error_of([&] { embed_over_ranks(live, *source); });
    EXPECT_EQ(e.kind(), group.rank() == 2 ? ErrorKind::kData : ErrorKind::kEnvironment) << e.what();
    own += e.kind() == ErrorKind::kData;
  });
  EXPECT_EQ(own, 1);
}

// A network during whose use the signal arrives, on one rank only.
class Stopped : public LiveEngine {
 public:
  using LiveEngine::LiveEngine;
  std::vector<float> run(const std::vector<float>& input, std::int64_t n) override {
    if (group()->rank() == 1) throw Interrupted(15);
    return LiveEngine::run(input, n);
  }
};

TEST_F(ValidationTest, ASignalToOneRankStopsAll) {
  const auto source = data::open_faces(test::make_toy_set(dir_ / "faces", 7, 25));
  std::atomic<int> stopped = 0;
  on_ranks<Stopped>(3, [&](Stopped& live, Group&) {
    try {
      embed_over_ranks(live, *source);
    } catch (const Interrupted& stop) {
      stopped += stop.signal();
    }
  });
  EXPECT_EQ(stopped, 3 * 15);
}

class StoppedRun : public ValidationTest {
 protected:
  StoppedRun() {
    set_progress_quiet(true);
    test::write_text(dir_ / "toy.yaml", test::toy_recipe(test::make_toy_set(dir_ / "faces"), 6));
  }
  TrainRequest request(RunStart start) const {
    return {.config = dir_ / "toy.yaml",
            .assignments = {"validate=[none]", "validate_every=2", "checkpoint_every=2"},
            .out = dir_ / "run",
            .start = start,
            .threads = 1,
            .device = "cpu",
            .command = "test"};
  }
  // A judge that a signal stops the `nth` time.
  JudgeMaker stopped_at(int nth) {
    return [this, nth](const std::string&) {
      return [this, nth](engine::Engine& network) {
        if (network.name() != "noise" && ++judged_ == nth) set_stop_signal(2);
        if (network.name() != "noise") throw_if_stopped();
        return Metrics{{"accuracy", .5}};
      };
    };
  }
  fs::path newest() const { return newest_checkpoint(dir_ / "run")->filename(); }
  int judged_ = 0;
};

TEST_F(StoppedRun, SavesAfterTheNextStep) {
  EXPECT_THROW(run_training(request(RunStart::kNew), stopped_at(2)), Interrupted);
  EXPECT_EQ(newest(), "step-5");
}

TEST_F(StoppedRun, IsNotDoneWithoutItsLastFigures) {
  EXPECT_THROW(run_training(request(RunStart::kNew), stopped_at(3)), Interrupted);
  EXPECT_EQ(newest(), "step-4");
  EXPECT_FALSE(fs::exists(dir_ / "run/DONE"));
  set_stop_signal(0);
  run_training(request(RunStart::kResume), stopped_at(0));
  EXPECT_EQ(judged_, 4);
  EXPECT_EQ(newest(), "step-6");
  EXPECT_TRUE(fs::exists(dir_ / "run/DONE"));
}

}  // namespace
}  // namespace likeness::train
