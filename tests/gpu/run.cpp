#include "tests/gpu/run.h"

#include <dlfcn.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <chrono>
#include <cstdio>

#include "core/error.h"
#include "tests/gpu/checks.h"
#include "train/cuda/card.h"
#include "train/device.h"

namespace likeness::gpu {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

// What the GPU is; kEnvironment for one that the kernels are not built for.
void describe_card(int index, Words* words) {
  using Describe = int (*)(int, train::CudaCard*);
  const auto describe = reinterpret_cast<Describe>(dlsym(RTLD_DEFAULT, train::kCudaCard));
  train::CudaCard card{};
  if (describe == nullptr || describe(index, &card) != 0)
    fail_environment({.what = "the GPU does not answer", .where = "device cuda:" + std::to_string(index)});
  const std::string capability = std::to_string(card.major) + "." + std::to_string(card.minor);
  if (card.major < 8)
    fail_environment({.what = "the GPU is too old for our kernels",
                      .where = card.name,
                      .expected = "compute capability 8.0 or more",
                      .got = capability});
  words->emplace_back("GPU", card.name);
  words->emplace_back("memory", std::to_string(card.memory >> 20) + " MiB");
  words->emplace_back("capability", capability + ", " + std::to_string(card.processors) + " multiprocessors");
  words->emplace_back("CUDA", version(card.runtime) + ", driver for " + version(card.driver));
}

}  // namespace

int run(int argc, char** argv) {
  const auto begin = std::chrono::steady_clock::now();
  const Options options = parse_options(argc, argv);
  if (options.help) {
    std::fputs(usage().c_str(), stdout);
    return 0;
  }
  const at::Device device = train::open_device(options.device);
  Words machine = {{"device", options.device},
                   {"torch", TORCH_VERSION},
                   {"processor", std::to_string(at::get_num_threads()) + " threads"}};
  if (device.is_cuda()) describe_card(device.index(), &machine);
  // TF32 rounds f32 factors to 10 bits: a choice for speed that would hide mistakes here.
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);

  Report report(machine, options.tolerance, options.only);
  const Place place{.device = device, .quick = options.quick};
  check_head_operators(report, place);
  check_head_passes(report, place);
  check_network_operators(report, place);
  check_whole_steps(report, place);
  if (options.speed) time_steps(report, place, options);

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.print_summary(seconds);
  if (options.json) std::printf("%s\n", report.json(seconds).c_str());
  return report.passed() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace likeness::gpu
