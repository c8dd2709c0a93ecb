// Ranks as threads of one process, each with a Gloo group of its own.
#pragma once

#include <cstdlib>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "train/dist/group.h"
#include "train/dist/launch.h"

namespace likeness::test {

// body(group) on `size` ranks; the first exception is thrown here after all have ended.
inline void on_ranks(int size, const std::function<void(train::Group&)>& body) {
  // PyTorch's record of collectives is one for the process and not made for ranks that share it.
  setenv("TORCH_FR_BUFFER_SIZE", "0", 1);
  const int port = train::free_port();
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const auto group =
            train::gloo_group({.rank = rank, .size = size, .port = port, .timeout = std::chrono::seconds(20)});
        body(*group);
        group->barrier();
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace likeness::test
