// Averaged gradients against the plain average.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/train/ranks.h"
#include "train/dist/reducer.h"

namespace likeness::train {
namespace {

using test::on_ranks;

at::Tensor wave(at::IntArrayRef shape, double f, at::ScalarType type) {
  std::int64_t n = 1;
  for (std::int64_t s : shape) n *= s;
  return at::cos(at::arange(n, at::kDouble) * f).reshape(shape).to(type);
}

// Three layers: a convolution with channels-last weights, one with a bias and a scale, a matrix.
struct Net {
  explicit Net(at::ScalarType type = at::kDouble) : type(type) {
    conv = wave({8, 4, 3, 3}, .7, type).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
    bias = wave({8}, .3, type).requires_grad_();
    scale = wave({1}, .9, type).requires_grad_();
    matrix = wave({16, 8 * 16}, .11, type).requires_grad_();
  }
  std::vector<at::Tensor> parameters() const { return {conv, bias, scale, matrix}; }
  at::Tensor loss(int seed) const {
    const at::Tensor x = wave({2, 4, 4, 4}, .17 + .05 * seed, type).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor y = at::tanh(at::conv2d(x, conv, bias, 1, 1)) * scale;
    return at::matmul(matrix, y.reshape({2, -1}).t()).pow(2).sum();
  }
  std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> out;
    for (const at::Tensor& p : parameters()) out.push_back(p.grad().clone());
    return out;
  }
  void forget() const {
    for (at::Tensor p : parameters()) p.mutable_grad().reset();
  }
  at::ScalarType type;
  at::Tensor conv, bias, scale, matrix;
};

// By a network of its own and without any rank: the mean over `ranks` of the sum over `micro` of gradients, and the
// mean of their absolute values.
struct Plain {
  std::vector<at::Tensor> mean, magnitude;
};
Plain plain(int ranks, int micro, at::ScalarType type) {
  Plain out;
  for (int rank = 0; rank < ranks; ++rank) {
    const Net net(type);
    for (int m = 0; m < micro; ++m) net.loss(rank + 10 * m).backward();
    const auto g = net.gradients();
    for (std::size_t i = 0; i < g.size(); ++i) {
      const at::Tensor value = g[i].to(at::kDouble) / ranks;
      if (rank == 0) out.mean.push_back(at::zeros_like(value)), out.magnitude.push_back(at::zeros_like(value));
      out.mean[i] += value;
      out.magnitude[i] += value.abs();
    }
  }
  return out;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_GT(b.norm().item<double>(), 0) << "nothing is compared";
  return ((a.to(at::kDouble) - b).norm() / b.norm()).item<double>();
}

TEST(Reducer, EqualsThePlainAverage) {
  for (auto type : {at::kDouble, at::kFloat})
    for (int size : {2, 3})
      for (std::int64_t bucket : {std::int64_t{64}, std::int64_t{3000}, ReducerOptions{}.bucket_bytes}) {
        const Plain expected = plain(size, 1, type);
        on_ranks(size, [&](Group& group) {
          const Net net(type);
          Reducer reducer(net.parameters(), group, {.bucket_bytes = bucket});
          EXPECT_EQ(reducer.bucket_count(), bucket == 64 ? 4 - (type == at::kFloat) : bucket == 3000 ? 2 : 1);
          for (int step = 0; step < 3; ++step) {
            net.forget();
            net.loss(group.rank()).backward();
            reducer.finish();
            const auto got = net.gradients();
            for (std::size_t i = 0; i < got.size(); ++i) {
              EXPECT_LT(difference(got[i], expected.mean[i]), type == at::kDouble ? 1e-14 : 1e-6) << i;
              EXPECT_EQ(net.parameters()[i].grad().strides(), net.parameters()[i].strides()) << i;
              for (const at::Tensor& other : group.all_gather(got[i].contiguous()))
                EXPECT_TRUE(at::equal(other, got[i])) << "ranks drift apart";
            }
          }
        });
      }
}

TEST(Reducer, HalfTheBytesStayWithinTheirRounding) {
  for (int size : {2, 3}) {
    const Plain expected = plain(size, 1, at::kFloat);
    on_ranks(size, [&](Group& group) {
      const Net net(at::kFloat);
      Reducer reducer(net.parameters(), group, {.bf16 = true});
      net.loss(group.rank()).backward();
      reducer.finish();
      const auto got = net.gradients();
      bool rounded = false;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const at::Tensor error = (got[i].to(at::kDouble) - expected.mean[i]).abs();
        // In units of one rounding; a sum that cuts off instead of rounding would reach twice as many. 1 % for the
        // products of roundings and for f32.
        const double roundings = (error / (expected.magnitude[i] / 256 + 1e-30)).max().item<double>();
        EXPECT_LE(roundings, size * 1.01) << i;
        rounded |= difference(got[i], expected.mean[i]) > 1e-5;
        for (const at::Tensor& other : group.all_gather(got[i].contiguous())) EXPECT_TRUE(at::equal(other, got[i]));
      }
      EXPECT_TRUE(rounded) << "nothing was compressed";
    });
  }
}

// Ranks that exist only as a list of what was asked of them.
class Recorder : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void all_reduce_sum(at::Tensor&) override { FAIL(); }
  void all_reduce_max(at::Tensor&) override { FAIL(); }
  void broadcast(at::Tensor&, int) override { FAIL(); }
  std::vector<at::Tensor> all_gather(const at::Tensor&) override { return {}; }
  void barrier() override {}
  std::unique_ptr<Pending> start_sum(at::Tensor& tensor) override {
    if (failing) fail_environment({.what = "a rank was lost", .where = "here"});
    events.push_back(std::to_string(tensor.numel()));
    addresses.push_back(tensor.data_ptr());
    return std::make_unique<Over>();
  }
  class Over : public Pending {
   public:
    void wait() override {}
  };
  std::vector<std::string> events;
  std::vector<void*> addresses;
  bool failing = false;
};

TEST(Reducer, SumsBeginDuringBackwardInTheOrderOfBuckets) {
  using Events = std::vector<std::string>;
  {
    const Net net;
    Recorder group;
    Reducer reducer(net.parameters(), group, {.bucket_bytes = 1});
    net.conv.register_hook([&](const at::Tensor&) { group.events.push_back("conv"); });
    net.loss(0).backward();
    ASSERT_EQ(group.events.size(), 5u);
    EXPECT_EQ(group.events[0], "2048") << "the matrix is the first that backward reaches";
    EXPECT_LT(std::find(group.events.begin(), group.events.end(), "1"),
              std::find(group.events.begin(), group.events.end(), "conv"));
    reducer.finish();
    EXPECT_EQ(group.events.size(), 5u);
  }
  {  // the matrix last: its gradient comes first, and waits
    const Net net;
    Recorder group;
    Reducer reducer({net.matrix, net.scale, net.bias, net.conv}, group, {.bucket_bytes = 1});
    net.loss(0).backward();
    reducer.finish();
    EXPECT_EQ(group.events, (Events{"288", "8", "1", "2048"}));
  }
}

TEST(Reducer, AStepAfterTheFirstUsesTheSameMemory) {
  const Net net;
  Recorder group;
  Reducer reducer(net.parameters(), group, {.bucket_bytes = 3000, .bf16 = true});
  for (int step = 0; step < 3; ++step) {
    net.loss(0).backward();
    reducer.finish();
    net.forget();
  }
  ASSERT_EQ(group.addresses.size(), 6u);
  for (std::size_t i = 2; i < 6; ++i) EXPECT_EQ(group.addresses[i], group.addresses[i % 2]);
}

TEST(Reducer, MicroBatchesAreSummedWithoutCommunication) {
  {
    const Net net;
    Recorder group;
    Reducer reducer(net.parameters(), group);
    for (int step = 0; step < 2; ++step) {
      reducer.pause(true);
      net.loss(0).backward();
      net.loss(1).backward();
      EXPECT_EQ(group.events.size(), static_cast<std::size_t>(step));
      reducer.pause(false);
      net.loss(2).backward();
      EXPECT_EQ(group.events.size(), static_cast<std::size_t>(step) + 1);
      reducer.finish();
      net.forget();
    }
  }
  for (int size : {2, 3}) {
    const Plain expected = plain(size, 3, at::kDouble);
    on_ranks(size, [&](Group& group) {
      const Net net;
      Reducer reducer(net.parameters(), group, {.bucket_bytes = 3000});
      for (const bool pause_all : {false, true, false}) {
        for (int m = 0; m < 3; ++m) {
          reducer.pause(pause_all || m < 2);
          net.loss(group.rank() + 10 * m).backward();
        }
        reducer.finish();
        const auto got = net.gradients();
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_LT(difference(got[i], expected.mean[i]), 1e-14) << i;
        net.forget();
      }
    });
  }
}

// Ranks may take different ways through a network.
TEST(Reducer, AParameterThatOnlySomeRanksReachCountsWithZeros) {
  on_ranks(2, [](Group& group) {
    at::Tensor a = at::ones({3}, at::kDouble).requires_grad_(), b = at::ones({3}, at::kDouble).requires_grad_();
    Reducer reducer({a, b}, group, {.bucket_bytes = 1});
    for (int step = 0; step < 2; ++step) {
      (group.rank() == 0 ? a.sum() * 4 : (a * b).sum() * 2).backward();
      reducer.finish();
      EXPECT_TRUE(at::equal(a.grad(), at::full({3}, 3., at::kDouble)));
      EXPECT_TRUE(at::equal(b.grad(), at::full({3}, 1., at::kDouble)));
      a.mutable_grad().reset(), b.mutable_grad().reset();
    }
  });
}

TEST(Reducer, AloneItLeavesGradientsAsTheyAre) {
  const auto group = solo_group();
  const Net net, other;
  Reducer reducer(net.parameters(), *group);
  EXPECT_EQ(reducer.bucket_count(), 0);
  net.loss(3).backward();
  other.loss(3).backward();
  reducer.finish();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(at::equal(net.gradients()[i], other.gradients()[i]));
}

TEST(Reducer, AGoneReducerLeavesParametersAlone) {
  const Net net;
  Recorder group;
  { Reducer reducer(net.parameters(), group); }
  net.loss(0).backward();
  EXPECT_TRUE(group.events.empty());
}

TEST(Reducer, AnErrorOfTheGroupComesThroughBackward) {
  const Net net;
  Recorder group;
  group.failing = true;
  Reducer reducer(net.parameters(), group);
  EXPECT_NE(test::refusal([&] { net.loss(0).backward(); }, ErrorKind::kEnvironment).find("a rank was lost"),
            std::string::npos);
}

TEST(Reducer, ASecondBackwardWithoutPauseIsOurMistake) {
  const Net net;
  Recorder group;
  Reducer reducer(net.parameters(), group);
  net.loss(0).backward();
  EXPECT_THROW(net.loss(0).backward(), std::logic_error);
}

}  // namespace
}  // namespace likeness::train
