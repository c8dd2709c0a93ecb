#define LIKENESS_ISA avx512
#include "model/torch/kernel/loops.inc"
