#include "train/head/kernel/kernels.h"

namespace likeness::train::kernel {
#include "core/isa_kernels.inc"
}  // namespace likeness::train::kernel
