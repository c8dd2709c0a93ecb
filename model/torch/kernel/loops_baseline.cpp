#define LIKENESS_ISA baseline
#define LIKENESS_VECTOR_BYTES 16
#include "model/torch/kernel/loops.inc"
