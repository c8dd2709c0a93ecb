// Gloo ranks over TCP: c10d's own backend, for ranks that train on CPUs.
#include <gloo/context.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "train/dist/c10d_group.h"

namespace likeness::train {
namespace {

class Gloo : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;
  void hang_up() {
    for (const auto& context : contexts_) context->closeConnections();
  }
};

std::unique_ptr<Group> gloo_at(const GroupOptions& o, const c10::intrusive_ptr<c10d::Store>& store) {
  auto options = c10d::ProcessGroupGloo::Options::create(o.timeout);
  options->devices.push_back(o.interface.empty() ? c10d::ProcessGroupGloo::createDeviceForHostname(o.address)
                                                 : c10d::ProcessGroupGloo::createDeviceForInterface(o.interface));
  options->threads = 2;
  const auto backend = c10::make_intrusive<Gloo>(store, o.rank, o.size, options);
  return std::make_unique<C10dGroup>(backend, store, o.timeout, [backend] { backend->hang_up(); });
}

}  // namespace

std::unique_ptr<Group> gloo_group(const GroupOptions& o) {
  return meet(o, [&](const c10::intrusive_ptr<c10d::Store>& store) { return gloo_at(o, store); });
}

std::unique_ptr<Group> gpu_group(const GroupOptions& o, MakeNccl nccl) {
  return meet(o, [&](const c10::intrusive_ptr<c10d::Store>& store) {
    // One store serves both, each under names of its own.
    const auto part = [&](const char* name) -> c10::intrusive_ptr<c10d::Store> {
      return c10::make_intrusive<c10d::PrefixStore>(name, store);
    };
    std::unique_ptr<Group> host = gloo_at(o, part("gloo"));
    std::unique_ptr<Group> device(nccl(o, part("nccl")));
    return mixed_group(std::move(host), std::move(device));
  });
}

}  // namespace likeness::train
