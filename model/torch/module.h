// The module that runs a graph: training forward and backward with fused operators, evaluation with running statistics.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"
#include "model/torch/norm.h"

namespace likeness::model {

// Owns the parameters and buffers of one network. Not thread-safe: one forward or backward at a time.
//
// Feature maps are channels-last throughout (memory order B,H,W,C): a 1x1 convolution is then one matrix product, and
// batch norm, PReLU and depthwise convolutions run over contiguous channels. Graph patterns are fused when the module
// is built: batch norm + PReLU and batch norm + addition become one operator each (model/torch/norm.h).
class TorchModel {
 public:
  // `dtype`: kFloat or kDouble, of the parameters and of the computation. Weights are checked strictly (kData, as
  // load()). A new module is in training mode.
  TorchModel(Graph graph, const Weights& weights, at::ScalarType dtype);
  ~TorchModel();

  // images [B,3,H,W] of the model's dtype, already preprocessed; channels-last costs no copy -> embeddings [B,D] (f32,
  // or f64 for an f64 model), raw. Training mode normalises with the batch's statistics (B >= 2) and updates the
  // running ones; evaluation mode uses the running ones. Autograd follows the caller's mode. c10::Error when the shape
  // is not the graph's.
  at::Tensor forward(const at::Tensor& images);
  void train(bool on);
  bool is_training() const;
  // Batch norm in training mode: with the running statistics, which then stay as they are (gamma and beta still learn);
  void freeze_statistics(bool on);
  // or with those of all ranks' batches together (norm.h): every forward and backward is then one of all ranks.
  void share_statistics(SumOverRanks over_ranks);

  // Mixed precision: feature maps are stored, and products' factors rounded, in bf16; sums, statistics, parameters,
  // their gradients, everything from the flattening on, and the embeddings stay f32. On tokens: Linear's factors and
  // results are bf16; positions, layer norm, softmax and the residual sum f32. Only for f32 models (c10::Error
  // otherwise). Where the CPU multiplies bf16 (AVX512-BF16, AMX), oneDNN's bf16 convolutions run; elsewhere their
  // emulation is eight times slower than f32, so the same rounded factors go through f32 products
  // (model/torch/convolution.h).
  void set_bf16(bool on);
  // The same in fp16, whose range is short: gradients must be scaled (train/optim/loss_scaler.h). No CPU of ours
  // computes in fp16: there the rounded factors go through f32 products, for tests and not for speed.
  void set_fp16(bool on);

  // Training forwards keep the values between pieces of the network alone, and backward computes the rest again:
  // gradients bit for bit the same, for about a third more time. Running statistics and counters move once.
  void set_recompute(bool on);

  // Dropout, stochastic depth and token masking draw from (seed, step), so a resumed run draws what the uninterrupted
  // one would have. Each forward in training mode advances `step` by one.
  void seed_dropout(std::uint64_t seed, std::int64_t step);

  // A step that is thrown away leaves no trace: restore puts running statistics and counters back to where remember
  // found them.
  void remember_statistics();
  void restore_statistics();
  // Which parameter or which node's output is the first that holds NaN or infinity for these images, in words for a
  // message; "" if none does. Evaluates the network once more, in the mode it is in, and leaves no trace.
  std::string first_non_finite(const at::Tensor& images);

  const Graph& graph() const;
  // Trainable parameters in state dict order, frozen ones left out. The tensors keep their identity for the module's
  // life: load() and to() change what is in them.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const;
  // The state dict but its counters: parameters, frozen ones too, and running statistics; the tensors themselves.
  const std::map<std::string, at::Tensor>& tensors() const;
  // Everything in the state dict, copied, in the model's dtype; counters as i64.
  Weights state() const;
  // The same into `out`, whose memory is used again where it holds the state of an earlier call.
  void copy_state(Weights* out) const;
  // Replaces all values. kData naming the first missing, extra or wrongly shaped tensor; `where` names the file.
  void load(const Weights& weights, const std::string& where);
  void to(at::Device device);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// [B,H,W,3] u8 -> [B,3,H,W] channels-last (same memory order, no transposition), cast and normalised in one pass:
// (pixel[c] - mean[c]) / std[c]. `bgr`: the network wants blue first. dtype kFloat or kDouble.
at::Tensor normalise_pixels(const at::Tensor& pixels_nhwc_u8, const std::vector<double>& mean,
                            const std::vector<double>& std, bool bgr, at::ScalarType dtype);

}  // namespace likeness::model
