// Names under which liblikeness_cuda.so exports the two ends of an NVTX range: void (const char*), void ().
#pragma once

namespace likeness::train {

inline constexpr const char *kNvtxPush = "likeness_nvtx_push", *kNvtxPop = "likeness_nvtx_pop";

}  // namespace likeness::train
