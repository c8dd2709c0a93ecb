// Where tensors live, and the module that brings CUDA.
#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "train/dist/group.h"

namespace likeness::train {

// "cpu", "cuda", "cuda:1" or "auto" (a GPU if there is one and the module opens, else the CPU), and makes a GPU the
// current one. Of several ranks on this host, each has a GPU of its own, that of its `local_rank`; "auto" is the CPU
// for all of them where there are fewer. Call before the first tensor operation: PyTorch looks for CUDA once. kUsage
// for another word, or a numbered GPU for several ranks; kEnvironment naming what is missing (the module, a CUDA
// library, a driver, the device) when CUDA is asked for by name.
c10::Device open_device(const std::string& name, int local_rank = 0, int local_size = 1);

// What makes the NCCL group of ranks on GPUs, once open_device has opened one. kEnvironment where the module has none.
MakeNccl nccl_maker();

// liblikeness_cuda.so, looked for in ../lib/likeness, ../lib and beside the program; empty if it was not built.
std::filesystem::path find_cuda_module();

}  // namespace likeness::train
