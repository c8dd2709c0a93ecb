// The cache of large blocks: reuse, alignment, sizes, and many threads at once. A binary of its own: keep_memory()
// cannot be undone.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "model/torch/allocator.h"

namespace likeness::model {
namespace {

struct KeepMemory : testing::Test {
  static void SetUpTestSuite() { keep_memory(); }
};

TEST_F(KeepMemory, AFreedBlockServesTheNextTensorOfItsSize) {
  const void* first = nullptr;
  {
    const at::Tensor t = at::empty({3 << 20});
    first = t.const_data_ptr();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % (2 << 20), 0u);
    EXPECT_GE(kept_memory().in_use, t.nbytes());
  }
  const std::size_t total = kept_memory().total;
  const at::Tensor same = at::empty({3 << 20});
  EXPECT_EQ(same.const_data_ptr(), first);
  EXPECT_EQ(kept_memory().total, total);
}

TEST_F(KeepMemory, ASmallTensorDoesNotTakeALargeBlock) {
  { const at::Tensor large = at::empty({32 << 20}); }
  const std::size_t total = kept_memory().total;
  const at::Tensor small = at::empty({1 << 20});  // 4 MiB
  EXPECT_GE(kept_memory().total, total);
  const at::Tensor large = at::empty({32 << 20});  // the 128 MiB block is still free
  EXPECT_LE(kept_memory().total, total + (4 << 20));
}

TEST_F(KeepMemory, TensorsMadeBeforeAndSmallOnesAreFreedAsBefore) {
  at::Tensor tiny = at::ones({10});
  tiny.resize_({2 << 20}).fill_(2);  // moves from one allocator to the other
  EXPECT_EQ(tiny.sum().item<float>(), 2.f * (2 << 20));
}

TEST_F(KeepMemory, RawAllocationsFindTheirWayBack) {
  at::Allocator* allocator = at::getCPUAllocator();
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{5} << 20}) {
    const std::size_t in_use = kept_memory().in_use;
    void* p = allocator->raw_allocate(bytes);
    std::memset(p, 1, bytes);
    allocator->raw_deallocate(p);
    EXPECT_EQ(kept_memory().in_use, in_use);
  }
}

TEST_F(KeepMemory, NothingIsLentTwice) {
  const std::size_t in_use = kept_memory().in_use;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 200; ++i) {
        const std::int64_t n = (1 << 18) * (1 + (i + t) % 3);
        const at::Tensor a = at::full({n}, static_cast<float>(t * 1000 + i));
        std::this_thread::yield();
        if (a[0].item<float>() != t * 1000 + i || a[n - 1].item<float>() != t * 1000 + i) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(kept_memory().in_use, in_use);
}

}  // namespace
}  // namespace likeness::model
