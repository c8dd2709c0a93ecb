#define LIKENESS_ISA avx2
#define LIKENESS_VECTOR_BYTES 32
#define LIKENESS_ROWS 6
#include "train/head/kernel/loops.inc"
