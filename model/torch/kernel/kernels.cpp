#include "model/torch/kernel/kernels.h"

namespace likeness::model::kernel {
#include "core/isa_kernels.inc"
}  // namespace likeness::model::kernel
