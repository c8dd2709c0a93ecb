// The parts of gpu_check. Each compares what a place computes with a reference on the CPU, in f64 unless it says
// otherwise, and reports.
//
// Limits: in f64 what sums in another order and another library's functions may change; in f32 the rounding of the
// logits, 64 times that of a cosine, and of sums; in bf16 the rounding of every stored value. Each check states its
// own.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <string>
#include <vector>

#include "tests/gpu/options.h"
#include "tests/gpu/report.h"

namespace likeness::gpu {

struct Place {
  at::Device device;
  bool quick = false;
  bool is_reference() const { return device.is_cpu(); }  // f64 there is the reference itself
};

// margin_points, tile_online, tile_binary and tile_gradient_ against the formulas of margin.h and the CPU's vector
// loops; each twice, bit-equal.
void check_head_operators(Report& report, const Place& place);
// The two passes over the classes and the optimizer's rows (torch_tiles against cpu_tiles), then the classifier with
// every loss.
void check_head_passes(Report& report, const Place& place);
// What the network's layers do: batch norm with what follows it, convolutions, token layers, pixels; the optimizer.
// On the CPU against PyTorch's operators one after another; elsewhere against the CPU's fused ones.
void check_network_operators(Report& report, const Place& place);
// Two steps of whole networks with a classifier: losses, embeddings, their gradients, and all that was learnt.
void check_whole_steps(Report& report, const Place& place);
// Pictures per second of whole steps in bf16, and their peak memory.
void time_steps(Report& report, const Place& place, const Options& options);

// Numbers in [low, high), f64 with an f32's digits, so that every precision starts from the same ones.
inline at::Tensor numbers(at::IntArrayRef shape, double low, double high, std::uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::rand(shape, generator, at::kDouble).mul_(high - low).add_(low).to(at::kFloat).to(at::kDouble);
}

inline std::string precision_name(at::ScalarType type) {
  return type == at::kDouble ? "f64" : type == at::kFloat ? "f32" : "bf16";
}
inline double limit_of(at::ScalarType type, double f64, double f32, double bf16 = 0) {
  return type == at::kDouble ? f64 : type == at::kFloat ? f32 : bf16;
}

}  // namespace likeness::gpu
