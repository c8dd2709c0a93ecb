#define LIKENESS_ISA avx2
#define LIKENESS_VECTOR_BYTES 32
#include "model/torch/kernel/loops.inc"
