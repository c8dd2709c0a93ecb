// Ten steps of arcface_torch's training loop, in f64, through our network, head, clipping, optimizer and schedule.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <sstream>

#include "model/torch/tensors.h"
#include "tests/support/npz.h"
#include "tests/support/paths.h"
#include "train/trainer.h"

namespace likeness::train {
namespace {

constexpr double kTolerance = 1e-9;
constexpr std::int64_t kBatch = 16, kClasses = 32, kDimension = 512, kSide = 112;

// The references' stream: FNV-1a of the name, then splitmix64 (tests/goldens/README.md).
class Stream {
 public:
  explicit Stream(const std::string& name) {
    for (unsigned char c : name) state_ = (state_ ^ c) * 0x100000001b3ull;
  }
  std::uint64_t next() { return mix(state_ += kStep); }
  std::uint64_t at(std::uint64_t draw) const { return mix(state_ + kStep * (draw + 1)); }
  double uniform(double low, double high) { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ull;
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

at::Tensor images(std::int64_t first, std::int64_t count) {
  const Stream blocks("input"), noise("input.noise");
  // Rounded to f32 by being stored as f32: g++ 12 at -O3 drops static_cast<float> between doubles in this loop.
  at::Tensor x = at::empty({count, kSide, kSide, 3}, at::kFloat);
  float* out = x.mutable_data_ptr<float>();
  for (std::int64_t k = first; k < first + count; ++k)
    for (std::int64_t y = 0; y < kSide; ++y)
      for (std::int64_t px = 0; px < kSide; ++px)
        for (std::int64_t c = 0; c < 3; ++c) {
          const auto block =
              static_cast<int>(blocks.at(static_cast<std::uint64_t>(((k * 14 + y / 8) * 14 + px / 8) * 3 + c)) >> 56);
          const auto fine =
              static_cast<int>(noise.at(static_cast<std::uint64_t>(((k * kSide + y) * kSide + px) * 3 + c)) >> 56);
          *out++ = static_cast<float>(((3 * block + fine) / 4 - 127.5) / 127.5);
        }
  return x.to(at::kDouble).permute({0, 3, 1, 2});
}

at::Tensor labels(int step) {
  Stream stream("labels." + std::to_string(step));
  at::Tensor y = at::empty({kBatch}, at::kLong);
  for (std::int64_t b = 0; b < kBatch; ++b) y[b] = static_cast<std::int64_t>(stream.next() % kClasses);
  return y;
}

at::Tensor head_weight() {
  Stream stream("fc.weight");
  at::Tensor w = at::empty({kClasses, kDimension}, at::kFloat);
  float* p = w.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < w.numel(); ++i) p[i] = static_cast<float>(stream.uniform(-1, 1) * 0.01732050807568877);
  return w.to(at::kDouble);
}

std::vector<std::string> state_names() {
  std::ifstream in(test::golden("train_trajectory_names.json"));
  std::stringstream text;
  text << in.rdbuf();
  std::vector<std::string> names;
  const std::string s = text.str();
  for (std::size_t i = s.find('['), end; (i = s.find('"', i)) != std::string::npos; i = end + 1) {
    end = s.find('"', i + 1);
    names.push_back(s.substr(i + 1, end - i - 1));
  }
  return names;
}

double relative(const at::Tensor& got, const test::Array& want) {
  const at::Tensor w = at::tensor(want.as_double(), at::kDouble).reshape(want.shape);
  return ((got - w).norm() / w.norm()).item<double>();
}

void expect_trajectory(const std::string& name, const LossOptions& options, std::int64_t warmup, double decay,
                       const std::string& file = "train_trajectory.npz", RowRuleKind kind = RowRuleKind::kSgd) {
  const test::Npz npz(test::golden(file));
  const auto golden = [&](const std::string& what) -> const test::Array& { return npz.at(name + ".f64." + what); };
  const model::Graph graph = model::build_backbone({.name = "mbf", .input = kSide, .embedding = kDimension});
  model::TorchModel network(graph, model::deterministic_fill(graph), at::kDouble);
  Classifier head({.classes = kClasses, .dimension = kDimension, .loss = options}, at::kDouble);
  {
    at::NoGradGuard no_grad;
    head.weight().copy_(head_weight());
  }
  Recipe recipe;
  recipe.optimizer.kind = kind;
  recipe.rate = kind == RowRuleKind::kSgd ? .02 : 1e-3, recipe.weight_decay = decay, recipe.clip = 5;
  recipe.schedule = {.kind = ScheduleKind::kPolynomial, .total = 10, .warmup = warmup, .power = 1, .insightface = true};
  Trainer trainer(network, head, recipe, at::kCPU);
  network.train(true);

  const auto loss = golden("loss").as_double(), rate = golden("lr_used").as_double(),
             norm = golden("grad_norm_backbone").as_double();
  for (int i = 0; i < 10; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const StepMeters m = trainer.step({images(16 * i, kBatch), labels(i)});
    EXPECT_NEAR(m.rate, rate[k], 1e-15) << "step " << i;
    EXPECT_NEAR(m.loss.item<double>(), loss[k], kTolerance * loss[k]) << "step " << i;
    EXPECT_NEAR(m.gradient_norm.item<double>(), norm[k], kTolerance * norm[k]) << "step " << i;
  }
  EXPECT_LT(relative(head.weight().detach(), golden("fc_weight")), kTolerance);

  const model::Weights state = network.state();
  const auto norms = golden("state_norm").as_double(), projections = golden("state_proj").as_double();
  const auto names = state_names();
  ASSERT_EQ(names.size(), norms.size());
  for (std::size_t t = 0; t < names.size(); ++t) {
    const auto values = state.tensors.at(names[t]).as_double();
    Stream stream("proj:" + names[t]);
    double squares = 0, projection = 0;
    for (double v : values) squares += v * v, projection += v * stream.uniform(-1, 1);
    EXPECT_NEAR(std::sqrt(squares), norms[t], kTolerance * norms[t]) << names[t];
    EXPECT_NEAR(projection, projections[t], kTolerance * norms[t]) << names[t];
  }
  at::NoGradGuard no_grad;
  network.train(false);
  EXPECT_LT(relative(network.forward(images(0, 2)), golden("final_eval_output")), kTolerance);
}

TEST(Trajectory, ArcFaceAsArcfaceTorchRunsIt) {
  expect_trajectory("sgd_arc", {"arcface", {{"margin", .5}, {"gradient", 1}, {"past_pi", 2}}}, 3, 5e-4);
}

TEST(Trajectory, CosFace) { expect_trajectory("sgd_cos", {"cosface", {{"margin", .4}}}, 0, 1e-4); }

TEST(Trajectory, CosFaceByAdamW) {
  expect_trajectory("adamw_cos", {"cosface", {{"margin", .4}}}, 3, .1, "train_trajectory_adamw.npz",
                    RowRuleKind::kAdamW);
}

}  // namespace
}  // namespace likeness::train
