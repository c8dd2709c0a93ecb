// Where tensors live, and the module that brings CUDA.
#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

namespace likeness::train {

// "cpu", "cuda", "cuda:1" or "auto" (a GPU if there is one and the module opens, else the CPU). Call before the first
// tensor operation: PyTorch looks for CUDA once. kUsage for another word; kEnvironment naming what is missing (the
// module, a CUDA library, a driver, the device) when CUDA is asked for by name.
c10::Device open_device(const std::string& name);

// liblikeness_cuda.so, looked for in ../lib/likeness, ../lib and beside the program; empty if it was not built.
std::filesystem::path find_cuda_module();

}  // namespace likeness::train
