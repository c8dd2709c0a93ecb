#include "train/head/kernel/kernels.h"

namespace likeness::train::kernel {
#include "core/isa_kernels.inc"

#ifdef LIKENESS_X86
namespace avx512bf16 {
extern const Bf16Kernels kKernels;
}
#endif

const Bf16Kernels* hardware_bf16() {
#ifdef LIKENESS_X86
  if (supported(Isa::kAvx512) && multiplies_bf16()) return &avx512bf16::kKernels;
#endif
  return nullptr;
}

const Bf16Kernels& bf16_kernels() {
  const Bf16Kernels* hardware = hardware_bf16();
  return hardware ? *hardware : kernels().bf16;
}

}  // namespace likeness::train::kernel
