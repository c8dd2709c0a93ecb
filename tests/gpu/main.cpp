// gpu_check: what CUDA computes against what the CPU computes, and how fast. docs/testing.md.
#include <cstdio>

#include "core/error.h"
#include "tests/gpu/run.h"

int main(int argc, char** argv) {
  try {
    return likeness::gpu::run(argc, argv);
  } catch (const likeness::Error& e) {
    std::fprintf(stderr, "gpu_check: %s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_check: %s\n", e.what());
    return 70;
  }
}
