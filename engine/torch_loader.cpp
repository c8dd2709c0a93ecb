#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <mutex>

#include "core/error.h"
#include "core/version.h"
#include "engine/engines.h"

namespace likeness::engine {
namespace {

constexpr const char* kModule = "liblikeness_torch_engine.so";

// Beside the program in a build tree (bin/ and lib/), in lib/likeness/ once installed.
std::filesystem::path find_module() {
  std::error_code error;
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* folder : {"../lib/likeness", "../lib", "."}) {
    const std::filesystem::path candidate = bin / folder / kModule;
    if (std::filesystem::exists(candidate, error)) return candidate.lexically_normal();
  }
  return {};
}

[[noreturn]] void fail_missing() {
  fail_environment({"the LibTorch engine is not part of this installation", kModule,
                    "../lib/likeness or ../lib, seen from the program", "no such file",
                    "build with LIKENESS_TORCH=ON, or use --engine openvino"});
}

// Opened once and never closed: LibTorch does not survive that.
TorchEngineFactory factory() {
  static std::mutex mutex;
  static TorchEngineFactory opened = nullptr;
  const std::lock_guard lock(mutex);
  if (opened != nullptr) return opened;
  const std::filesystem::path path = find_module();
  if (path.empty()) fail_missing();
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    fail_environment(
        {"the LibTorch engine cannot be opened", path.string(), "", dlerror(), "scripts/setup.sh brings LibTorch"});
  const auto built_as = reinterpret_cast<const char* (*)()>(dlsym(module, kTorchEngineVersion));
  const auto found = reinterpret_cast<TorchEngineFactory>(dlsym(module, kTorchEngineFactory));
  if (built_as == nullptr || found == nullptr || version() != built_as())
    fail_environment({"the LibTorch engine belongs to another version", path.string(), version(),
                      built_as != nullptr ? built_as() : "no version", "install programs and modules together"});
  opened = found;
  return opened;
}

}  // namespace

bool torch_module_exists() { return !find_module().empty(); }

std::unique_ptr<Engine> open_torch(const ModelSource& source, int threads, const std::string& device) {
  const TorchEngineFactory open = factory();
  std::optional<model::TrainedModel> network;
  try {
    network = source.network();
  } catch (const Error& e) {
    if (!source.foreign()) throw;
    fail_environment({"LibTorch cannot run this network", source.path().string(), "",
                      e.parts().what + ": " + e.parts().got, "--engine openvino runs it"});
  }
  return std::unique_ptr<Engine>(open(*network, threads, device));
}

}  // namespace likeness::engine
