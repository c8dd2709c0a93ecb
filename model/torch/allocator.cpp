#include "model/torch/allocator.h"

#ifdef __GLIBC__
#include <malloc.h>
#include <stdlib.h>
#endif

namespace likeness::model {

void keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap as well
  mallopt(M_TRIM_THRESHOLD, -1);  // never give the top of the heap back; also ends the threshold that adapts itself
  mallopt(M_TOP_PAD, 64 << 20);   // grow by 64 MiB at a time
  // LibTorch reads this at its first allocation: tensors of 2 MiB and more are then aligned to, and advised to use, huge pages.
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
#endif
}

}  // namespace likeness::model
