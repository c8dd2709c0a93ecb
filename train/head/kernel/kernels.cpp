#include "train/head/kernel/kernels.h"

namespace likeness::train::kernel {

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

const Kernels& kernels(Isa isa) {
#ifdef LIKENESS_X86
  if (isa == Isa::kAvx512) return avx512::kKernels;
  if (isa == Isa::kAvx2) return avx2::kKernels;
#endif
  return baseline::kKernels;
}

const Kernels& kernels() {
  static const Kernels& best = kernels(newest_supported());
  return best;
}

}  // namespace likeness::train::kernel
