// The CUDA module against its CPU twin. Needs a GPU; elsewhere every test here is skipped by name.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "train/device.h"
#include "train/dist/group.h"
#include "train/head/classifier.h"
#include "train/head/margin_softmax.h"

namespace likeness::train {
namespace {

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!open_device("auto").is_cuda()) GTEST_SKIP() << "skipped: no CUDA device, or no CUDA module";
  }
};

TEST_F(Cuda, MarginSoftmaxEqualsTheCpus) {
  const std::int64_t batch = 37, classes = 4099;
  const at::Tensor labels = (at::arange(batch, at::kLong) * 97) % classes;
  const at::Tensor cosines =
      at::sin(at::arange(batch * classes, at::kDouble)).reshape({batch, classes}) * 1.001;  // some past +-1
  for (const Margin& m : {Margin{.scale = 32, .m3 = .2}, Margin{.scale = 64, .m2 = .5},
                          Margin{.scale = 16, .m1 = 1.3, .m2 = .1, .m3 = .1, .past_pi = PastPi::kMirror}})
    for (auto [dtype, tolerance] : {std::pair{at::kDouble, 1e-12}, std::pair{at::kFloat, 2e-5}}) {
      at::Tensor host = cosines.to(dtype).clone(), device = cosines.to(dtype).to(at::kCUDA);
      const at::Tensor want = margin_softmax_(host, labels, m), got = margin_softmax_(device, labels.to(at::kCUDA), m);
      EXPECT_LT(((got.cpu() - want).abs() / want.abs()).max().item<double>(), tolerance) << dtype;
      EXPECT_LT((device.cpu() - host).abs().max().item<double>(), tolerance * m.scale) << dtype;
    }
}

TEST_F(Cuda, ALossAndItsGradientEqualTheCpus) {
  at::Tensor e = at::sin(at::arange(8 * 16, at::kDouble)).reshape({8, 16}).requires_grad_(true);
  at::Tensor w = at::cos(at::arange(24 * 16, at::kDouble)).reshape({24, 16}).requires_grad_(true);
  at::Tensor ge = e.detach().to(at::kCUDA).requires_grad_(true), gw = w.detach().to(at::kCUDA).requires_grad_(true);
  const at::Tensor labels = at::arange(8, at::kLong);
  const Margin m{.scale = 32, .m2 = .4};
  at::Tensor a = margin_loss(e, w, labels, m), b = margin_loss(ge, gw, labels.to(at::kCUDA), m);
  a.backward();
  b.backward();
  EXPECT_NEAR(b.item<double>(), a.item<double>(), 1e-12);
  EXPECT_TRUE(at::allclose(ge.grad().cpu(), e.grad(), 1e-11, 1e-13) &&
              at::allclose(gw.grad().cpu(), w.grad(), 1e-11, 1e-13));
}

TEST_F(Cuda, NcclAloneIsTheIdentity) {
  using Make = Group* (*)(const GroupOptions&);
  const auto make = reinterpret_cast<Make>(dlsym(RTLD_DEFAULT, kNcclGroup));
  ASSERT_NE(make, nullptr);
  const std::unique_ptr<Group> group(make({}));
  EXPECT_EQ(group->size(), 1);
  at::Tensor x = at::arange(5, at::TensorOptions(at::kCUDA).dtype(at::kFloat));
  const at::Tensor before = x.clone();
  group->all_reduce_sum(x);
  EXPECT_TRUE(at::equal(x, before));
  EXPECT_TRUE(at::equal(group->all_gather(x).at(0), before));
  group->barrier();
}

TEST(Solo, IsTheIdentity) {
  const std::unique_ptr<Group> group = solo_group();
  at::Tensor x = at::arange(5, at::kFloat);
  const at::Tensor before = x.clone();
  group->all_reduce_sum(x);
  group->broadcast(x, 0);
  group->barrier();
  EXPECT_TRUE(at::equal(x, before) && at::equal(group->all_gather(x).at(0), before));
  EXPECT_EQ(group->rank(), 0);
}

}  // namespace
}  // namespace likeness::train
