// Ranks on GPUs have two groups in one. Without a GPU a tensor that has no memory ("meta") stands for one that is
// there.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/train/ranks.h"
#include "train/device.h"

namespace likeness::train {
namespace {

// Writes down what it is asked to do.
class Recorder : public Group {
 public:
  Recorder(int rank, int size, std::vector<std::string>* heard) : rank_(rank), size_(size), heard_(heard) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void all_reduce_sum(at::Tensor& t) override { hear("sum", t); }
  void all_reduce_max(at::Tensor& t) override { hear("max", t); }
  void broadcast(at::Tensor& t, int root) override { hear("broadcast from " + std::to_string(root), t); }
  std::vector<at::Tensor> all_gather(const at::Tensor& t) override {
    hear("gather", t);
    return {t, t};
  }
  void barrier() override { heard_->push_back("barrier"); }
  std::unique_ptr<Pending> start_sum(at::Tensor& t) override {
    hear("started sum", t);
    return solo_group()->start_sum(t);
  }
  void at_step(std::int64_t step) override { heard_->push_back("step " + std::to_string(step)); }

 private:
  void hear(const std::string& what, const at::Tensor& t) { heard_->push_back(what + " of " + t.device().str()); }
  int rank_, size_;
  std::vector<std::string>* heard_;
};

TEST(MixedGroup, EveryTensorGoesWhereItLies) {
  std::vector<std::string> host, device;
  const auto group = mixed_group(std::make_unique<Recorder>(1, 3, &host), std::make_unique<Recorder>(1, 3, &device));
  EXPECT_EQ(group->rank(), 1);
  EXPECT_EQ(group->size(), 3);
  group->at_step(7);
  for (const at::Device where : {at::Device(at::kCPU), at::Device(at::kMeta)}) {
    at::Tensor t = at::empty({4}, at::TensorOptions(where));
    group->all_reduce_sum(t);
    group->all_reduce_max(t);
    group->broadcast(t, 2);
    EXPECT_EQ(group->all_gather(t).size(), 2u);
    group->start_sum(t)->wait();
  }
  group->barrier();
  const auto with = [](const std::string& name) {
    return std::vector<std::string>{"step 7",
                                    "sum of " + name,
                                    "max of " + name,
                                    "broadcast from 2 of " + name,
                                    "gather of " + name,
                                    "started sum of " + name};
  };
  std::vector<std::string> expected = with("cpu");
  expected.emplace_back("barrier");
  EXPECT_EQ(host, expected);
  EXPECT_EQ(device, with("meta"));
}

std::vector<std::string> of_gpus[2];

// In NCCL's place: the ranks find each other at the store they are given, whose names are its own.
Group* stand_in(const GroupOptions& o, const c10::intrusive_ptr<c10d::Store>& store) {
  store->set("0", "taken");  // Gloo has keys that look like this, too
  store->set("rank" + std::to_string(o.rank), "here");
  store->wait({"rank0", "rank1"}, o.timeout);
  return new Recorder(o.rank, o.size, &of_gpus[o.rank]);
}

TEST(GpuGroup, BothGroupsMeetAtOneStore) {
  const int port = free_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([rank, port] {
      const auto group =
          gpu_group({.rank = rank, .size = 2, .port = port, .timeout = std::chrono::seconds(20)}, &stand_in);
      at::Tensor here = at::full({3}, rank + 1, at::kFloat), there = at::empty({3}, at::TensorOptions(at::kMeta));
      group->all_reduce_sum(here);
      EXPECT_TRUE(at::equal(here, at::full({3}, 3, at::kFloat)));
      group->all_reduce_sum(there);
      group->barrier();
    });
  for (std::thread& t : threads) t.join();
  for (const auto& heard : of_gpus) EXPECT_EQ(heard, std::vector<std::string>{"sum of meta"});
}

TEST(Device, RanksOfAHostDoNotShareANumberedGpu) {
  const Error e = test::error_of([] { open_device("cuda:0", 1, 4); });
  EXPECT_EQ(e.kind(), ErrorKind::kUsage);
  EXPECT_EQ(e.parts().got, "cuda:0 for 4 ranks");
  EXPECT_EQ(test::error_of([] { open_device("cuda0"); }).kind(), ErrorKind::kUsage);
  EXPECT_TRUE(open_device("cpu", 3, 4).is_cpu());
}

}  // namespace
}  // namespace likeness::train
