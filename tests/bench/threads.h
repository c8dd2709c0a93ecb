// What the benchmarks of Torch code share beside Google Benchmark's own options.
#pragma once

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "model/torch/allocator.h"

namespace likeness::bench {

// Takes --threads=N (default 2) out of the arguments, before any tensor is made.
inline void set_up_torch(int& argc, char** argv) {
  model::keep_memory();
  int threads = 2;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--threads=", 10) != 0) continue;
    threads = std::atoi(argv[i] + 10);
    for (int k = i; k + 1 < argc; ++k) argv[k] = argv[k + 1];
    --argc;
  }
  at::set_num_threads(threads);
}

// Runs what was registered: main's exit code.
inline int run_registered(int& argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace likeness::bench
