#define LIKENESS_ISA baseline
#define LIKENESS_VECTOR_BYTES 16
#define LIKENESS_ROWS 6
#include "train/head/kernel/loops.inc"
