// The CUDA module against its CPU twin. Needs a GPU; elsewhere every test here is skipped by name.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "train/device.h"
#include "train/dist/group.h"
#include "train/head/classifier.h"

namespace likeness::train {
namespace {

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!open_device("auto").is_cuda()) GTEST_SKIP() << "skipped: no CUDA device, or no CUDA module";
  }
};

// Every loss, whole and sampled, with sub-centres: a step on the GPU is the CPU's.
TEST_F(Cuda, AHeadsStepEqualsTheCpus) {
  for (const LossEntry* entry : loss_table())
    for (const double rate : {1., .3}) {
      const ClassifierOptions o{
          .classes = 4099, .dimension = 32, .loss = {entry->name}, .sub_centers = 2, .sample_rate = rate, .seed = 3};
      Classifier host(o, at::kDouble), device(o, at::kDouble);
      device.to(at::kCUDA);
      const at::Tensor e = at::sin(at::arange(37 * 32, at::kDouble)).reshape({37, 32}) * 5;
      const at::Tensor labels = (at::arange(37, at::kLong) * 97) % 4099;
      const RowRule rule{.rate = .1, .weight_decay = 5e-4};
      const HeadStep a = host.step(e, labels, 0, &rule), b = device.step(e.to(at::kCUDA), labels, 0, &rule);
      EXPECT_NEAR(b.loss.item<double>(), a.loss.item<double>(), 1e-11) << entry->name;
      EXPECT_TRUE(at::allclose(b.embeddings.cpu(), a.embeddings, 1e-9, 1e-12)) << entry->name;
      EXPECT_TRUE(at::allclose(device.weight().cpu(), host.weight(), 1e-9, 1e-12)) << entry->name;
    }
}

TEST_F(Cuda, NcclAloneIsTheIdentity) {
  const std::unique_ptr<Group> group = gpu_group({}, nccl_maker());
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
