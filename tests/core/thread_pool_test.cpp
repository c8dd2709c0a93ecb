#include "core/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace likeness {
namespace {

TEST(ParallelFor, CoversTheRangeOnceInSlicesOfAtMostTheGrain) {
  for (const std::size_t n : {0u, 1u, 7u, 1000u}) {
    for (const int threads : {1, 2, 5}) {
      std::vector<std::atomic<int>> hits(n);
      parallel_for(n, 7, threads, [&](std::size_t begin, std::size_t end) {
        ASSERT_LT(begin, end);
        ASSERT_LE(end - begin, 7u);
        for (std::size_t i = begin; i < end; ++i) ++hits[i];
      });
      for (const auto& hit : hits) ASSERT_EQ(hit, 1);
    }
  }
}

TEST(ParallelFor, UsesSeveralThreadsAndNoMoreThanAsked) {
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::atomic<int> waiting{0};
  parallel_for(3, 1, 3, [&](std::size_t, std::size_t) {
    ++waiting;
    while (waiting < 3) std::this_thread::yield();  // ends only when three run at once
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 3u);
}

TEST(ParallelFor, RethrowsTheFirstExceptionAndStopsEarly) {
  std::atomic<int> calls{0};
  EXPECT_THROW(parallel_for(1'000'000, 1, 2,
                            [&](std::size_t, std::size_t) {
                              if (++calls == 10) throw std::domain_error("ten");
                            }),
               std::domain_error);
  EXPECT_LT(calls, 1'000'000);
}

TEST(ParallelFor, MayBeNested) {
  std::atomic<int> sum{0};
  parallel_for(4, 1, 2, [&](std::size_t, std::size_t) {
    parallel_for(8, 2, 2, [&](std::size_t begin, std::size_t end) { sum += static_cast<int>(end - begin); });
  });
  EXPECT_EQ(sum, 32);
}

TEST(ResolveThreads, TakesWhatIsAskedElseWhatThereIs) {
  EXPECT_EQ(resolve_threads(3), 3);
  EXPECT_GE(resolve_threads(0), 1);
}

}  // namespace
}  // namespace likeness
