// NVTX ranges, so that Nsight shows our spans (core/trace.h) beside the kernels. Without a tool attached a range costs
// a few nanoseconds.
#include "train/cuda/nvtx.h"

#include <nvtx3/nvToolsExt.h>

extern "C" __attribute__((visibility("default"))) void likeness_nvtx_push(const char* name) { nvtxRangePushA(name); }
extern "C" __attribute__((visibility("default"))) void likeness_nvtx_pop() { nvtxRangePop(); }
