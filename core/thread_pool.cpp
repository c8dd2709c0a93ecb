#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"

namespace likeness {

int resolve_threads(int asked) {
  if (asked > 0) return asked;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

void parallel_for(std::size_t n, std::size_t grain, int threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& body) {
  LIKENESS_ASSERT(grain > 0);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const std::size_t slices = n / grain + (n % grain != 0);

  const auto work = [&] {
    for (std::size_t slice = next++; slice < slices; slice = next++) {
      try {
        body(slice * grain, std::min(n, (slice + 1) * grain));
      } catch (...) {
        next = slices;  // the others stop at their next slice
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };

  const std::size_t helpers = std::min<std::size_t>(resolve_threads(threads), slices);
  {
    std::vector<std::jthread> team;
    for (std::size_t i = 1; i < helpers; ++i) team.emplace_back(work);
    work();  // the caller is one of the threads
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace likeness
