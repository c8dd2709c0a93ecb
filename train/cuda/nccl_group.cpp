// The NCCL process group, made through one exported function.
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "train/dist/c10d_group.h"

extern "C" __attribute__((visibility("default"))) likeness::train::Group* likeness_nccl_group(
    const likeness::train::GroupOptions& o) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = o.timeout;
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(likeness::train::open_store(o), o.rank, o.size, options);
  return new likeness::train::C10dGroup(backend, o.timeout);
}
