// The module that runs a graph: training forward with fused operators chosen by pattern, folded inference.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

// Owns the parameters and buffers of one network. Not thread-safe. Images are channels-last throughout.
class TorchModel {
 public:
  TorchModel(Graph graph, const Weights& weights, at::ScalarType dtype);
  ~TorchModel();
  // images [B,3,H,W] of the model's dtype (channels-last), already preprocessed -> embeddings [B,D] (f32, or f64 for f64).
  // Training mode uses and updates batch statistics; evaluation mode uses running ones. Autograd follows the caller's mode.
  at::Tensor forward(const at::Tensor& images);
  void train(bool on);
  bool is_training() const;
  // Computation in bf16 with f32 parameters and statistics; embeddings come back in f32.
  void set_bf16(bool on);

  const Graph& graph() const;
  // Trainable parameters in state dict order, frozen ones left out.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const;
  // Copies; strict on keys and shapes.
  Weights state() const;
  void load(const Weights& weights, const std::string& where);
  void to(at::Device device);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// [B,H,W,3] u8 seen as [B,3,H,W] channels-last, cast and normalised in one pass.
at::Tensor normalise_pixels(const at::Tensor& pixels_nhwc_u8, const std::vector<double>& mean, const std::vector<double>& std,
                            bool bgr, at::ScalarType dtype);

}  // namespace likeness::model
