// How fast whole steps are: pixels on the CPU to a changed network, in bf16, with bf16 tiles.
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/torch.h>

#include <chrono>
#include <optional>

#include "tests/gpu/checks.h"
#include "tests/gpu/training_step.h"

namespace likeness::gpu {
namespace {

constexpr std::int64_t kSmallestBatch = 16;

void wait_for(at::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

c10::CachingDeviceAllocator::DeviceStats memory_of(at::Device device) {
  return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
}

// Gives unused blocks back, so that one case's leave room for the next one's.
void forget_memory(at::Device device) {
  if (!device.is_cuda()) return;
  c10::getDeviceAllocator(device.type())->emptyCache();
  c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

// The first steps choose algorithms and obtain memory. At least `kLeast` after them, for about three seconds.
SpeedRow time_case(const std::string& network, train::Classifier& head, const Place& place, const Options& o,
                   std::int64_t batch) {
  constexpr int kFirst = 3, kLeast = 5, kMost = 200;
  const double seconds = place.quick ? 1 : 3;
  TrainingStep step(make_network(network, o.size, at::kFloat), head, place.device, true);
  const auto [pixels, labels] = make_batch(batch, o.size, head.options().classes);
  std::int64_t number = 0;
  const int first = place.device.is_cuda() ? kFirst : 1, least = place.device.is_cuda() ? kLeast : 1;
  for (int i = 0; i < first; ++i) step.run(pixels, labels, number++);
  wait_for(place.device);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  double taken = 0;
  int steps = 0;
  while (steps < least || (taken < seconds && steps < kMost)) {
    for (int i = 0; i < least; ++i) step.run(pixels, labels, number++);
    steps += least;
    wait_for(place.device);
    taken = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  SpeedRow row{.network = network, .classes = head.options().classes, .batch = batch};
  row.pictures_per_second = static_cast<double>(steps * batch) / taken;
  row.step_ms = 1e3 * taken / steps;
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  if (place.device.is_cuda()) row.peak_bytes = memory_of(place.device).allocated_bytes[kAll].peak;
  return row;
}

// The same at half the batch where it does not fit.
SpeedRow time_what_fits(const std::string& network, train::Classifier& head, const Place& place, const Options& o) {
  for (std::int64_t batch = o.batch;; batch /= 2) {
    forget_memory(place.device);
    try {
      return time_case(network, head, place, o, batch);
    } catch (const c10::OutOfMemoryError&) {
      if (batch / 2 < kSmallestBatch)
        return {
            .network = network, .classes = head.options().classes, .batch = batch, .note = "does not fit in memory"};
    }
  }
}

// Null where the centres alone do not fit.
std::unique_ptr<train::Classifier> make_head(std::int64_t classes, at::Device device) {
  auto head = std::make_unique<train::Classifier>(
      train::ClassifierOptions{.classes = classes, .dimension = 512, .loss = {"arcface"}, .bf16 = true}, at::kFloat);
  forget_memory(device);
  try {
    head->to(device);
    return head;
  } catch (const c10::OutOfMemoryError&) {
    return nullptr;
  }
}

}  // namespace

void time_steps(Report& report, const Place& place, const Options& options) {
  for (const std::int64_t classes : options.classes) {
    const auto head = make_head(classes, place.device);
    for (const std::string& network : options.networks) {
      if (head)
        report.add(time_what_fits(network, *head, place, options));
      else
        report.add({.network = network,
                    .classes = classes,
                    .batch = options.batch,
                    .note = "the class centres do not fit in memory"});
    }
  }
}

}  // namespace likeness::gpu
