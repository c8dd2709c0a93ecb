#define LIKENESS_ISA avx512
#define LIKENESS_VECTOR_BYTES 64
#define LIKENESS_ROWS 8
#include "train/head/kernel/loops.inc"
