// Gloo ranks over TCP: c10d's own backend, for ranks that train on CPUs.
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "train/dist/c10d_group.h"

namespace likeness::train {

std::unique_ptr<Group> gloo_group(const GroupOptions& o) {
  auto options = c10d::ProcessGroupGloo::Options::create(o.timeout);
  options->devices.push_back(o.interface.empty() ? c10d::ProcessGroupGloo::createDeviceForHostname(o.address)
                                                 : c10d::ProcessGroupGloo::createDeviceForInterface(o.interface));
  options->threads = 2;
  auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(open_store(o), o.rank, o.size, options);
  return std::make_unique<C10dGroup>(backend, o.timeout);
}

}  // namespace likeness::train
