#define LIKENESS_ISA avx2
#include "model/torch/kernel/loops.inc"
