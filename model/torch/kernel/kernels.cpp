#include "model/torch/kernel/kernels.h"

namespace likeness::model::kernel {

namespace baseline {
extern const Kernels kKernels;
}
#ifdef LIKENESS_X86
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif

bool supported(Isa isa) {
#ifdef LIKENESS_X86
  switch (isa) {
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kBaseline:
      return true;
  }
#endif
  return isa == Isa::kBaseline;
}

bool multiplies_bf16() {
#ifdef LIKENESS_X86
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

const Kernels& kernels(Isa isa) {
#ifdef LIKENESS_X86
  if (isa == Isa::kAvx512) return avx512::kKernels;
  if (isa == Isa::kAvx2) return avx2::kKernels;
#endif
  return baseline::kKernels;
}

const Kernels& kernels() {
  static const Kernels& best = kernels(supported(Isa::kAvx512) ? Isa::kAvx512
                                       : supported(Isa::kAvx2) ? Isa::kAvx2
                                                               : Isa::kBaseline);
  return best;
}

}  // namespace likeness::model::kernel
