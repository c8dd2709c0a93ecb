// The NCCL process group, made through one exported function.
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "train/dist/c10d_group.h"

extern "C" __attribute__((visibility("default"))) likeness::train::Group* likeness_nccl_group(
    const likeness::train::GroupOptions& o, const c10::intrusive_ptr<c10d::Store>& store) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = o.timeout;
  const auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, o.rank, o.size, options);
  return new likeness::train::C10dGroup(backend, store, o.timeout, [backend] { backend->abort(); });
}
