#include "train/device.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <torch/torch.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/trace.h"
#include "train/cuda/nvtx.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
constexpr const char* kModule = "liblikeness_cuda.so";
constexpr const char* kHint = "scripts/setup.sh --gpu brings the CUDA libraries; --device cpu trains without a GPU";

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& expected,
                         const std::string& got) {
  fail_environment({.what = what, .where = where, .expected = expected, .got = got, .hint = kHint});
}

bool driver_present() { return fs::exists("/dev/nvidiactl"); }

// Loads the module and finds the device, or throws kEnvironment saying what is missing.
void open_cuda(int index) {
  const fs::path module = find_cuda_module();
  if (module.empty())
    refuse("the CUDA module is not part of this installation", kModule,
           "../lib/likeness or ../lib, seen from the program", "no such file");
  // Global, because operators and device hooks register themselves in LibTorch's tables; never closed.
  void* const handle = dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr)
    refuse("a CUDA library is missing", module.string(), "libraries of CUDA 13 beside LibTorch", dlerror());
  mirror_spans({.push = reinterpret_cast<void (*)(const char*)>(dlsym(handle, kNvtxPush)),
                .pop = reinterpret_cast<void (*)()>(dlsym(handle, kNvtxPop))});
  int count = 0;
  try {
    count = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  } catch (const c10::Error& e) {
    refuse("CUDA does not start", "device cuda", "a working NVIDIA driver", e.what_without_backtrace());
  }
  if (count == 0)
    refuse("no CUDA device", "device cuda", "an NVIDIA GPU with its driver",
           driver_present() ? "a driver without a usable GPU" : "no NVIDIA driver");
  if (index >= count)
    refuse("no such CUDA device", "device cuda:" + std::to_string(index), "0 … " + std::to_string(count - 1),
           std::to_string(index));
}

}  // namespace

fs::path find_cuda_module() {
  std::error_code error;
  const fs::path bin = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* folder : {"../lib/likeness", "../lib", "."}) {
    const fs::path candidate = bin / folder / kModule;
    if (fs::exists(candidate, error)) return candidate.lexically_normal();
  }
  return {};
}

c10::Device open_device(const std::string& name, int local_rank, int local_size) {
  const int last = std::max(local_rank, local_size - 1);  // the GPU that the ranks of this host need beside their own
  const auto current = [](int index) {
    const c10::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
    c10::impl::getDeviceGuardImpl(at::kCUDA)->setDevice(device);
    return device;
  };
  if (name == "cpu") return at::kCPU;
  if (name == "auto") {
    if (!driver_present() || find_cuda_module().empty()) return at::kCPU;
    try {
      open_cuda(last);
    } catch (const Error&) {
      return at::kCPU;
    }
    return current(local_rank);
  }
  int index = local_rank;
  bool valid = name == "cuda";
  if (name.starts_with("cuda:")) {
    const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), index);
    valid = error == std::errc() && end == name.data() + name.size() && index >= 0;
  }
  if (!valid)
    fail_usage({.what = "unknown device", .where = "--device", .expected = "cpu, cuda, cuda:N or auto", .got = name});
  if (name != "cuda" && last > 0)
    fail_usage({.what = "several ranks on one GPU",
                .where = "--device",
                .expected = "cuda: every rank of this host has a GPU of its own",
                .got = name + " for " + std::to_string(last + 1) + " ranks"});
  open_cuda(std::max(index, last));
  return current(index);
}

MakeNccl nccl_maker() {
  const auto make = reinterpret_cast<MakeNccl>(dlsym(RTLD_DEFAULT, kNcclGroup));
  if (make == nullptr)
    refuse("ranks on GPUs cannot talk to each other", kModule, std::string("a function ") + kNcclGroup, "none");
  return make;
}

}  // namespace likeness::train
