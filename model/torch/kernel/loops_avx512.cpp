#define LIKENESS_ISA avx512
#define LIKENESS_VECTOR_BYTES 64
#include "model/torch/kernel/loops.inc"
