#define LIKENESS_ISA baseline
#include "model/torch/kernel/loops.inc"
