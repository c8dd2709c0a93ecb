// What a TorchModel holds, for the sources that implement it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "model/torch/module.h"
#include "model/torch/norm.h"
#include "model/torch/plan.h"

namespace likeness::model {

struct TorchModel::State {
  Graph graph;
  at::ScalarType dtype;
  std::vector<Step> plan;
  std::map<std::string, at::Tensor> tensors;                   // the whole state dict but the counters
  std::map<std::string, std::int64_t> counters;                // "….num_batches_tracked"
  std::vector<std::pair<std::string, at::Tensor>> parameters;  // the trainable ones
  bool training = true, bf16 = false, fp16 = false, frozen_statistics = false;
  std::shared_ptr<const SumOverRanks> ranks;  // over which batch norm's statistics go
  bool recompute = false, again = false;      // again: backward asks for a piece a second time
  struct OwnPiece {
    std::pair<int, int> steps;           // of the plan, [first, last)
    std::vector<at::Tensor> parameters;  // that they use
  };
  std::vector<OwnPiece> pieces;  // where recompute was asked for
  std::uint64_t dropout_seed = 0;
  std::int64_t step = 0;
  std::vector<std::pair<at::Tensor, at::Tensor>> statistics;  // a running statistic, and its remembered value
  std::map<std::string, std::int64_t> remembered_counters;

  const at::Tensor& tensor(const Node& node, const char* what) const { return tensors.at(node.parameter(what)); }
  at::Tensor run(const Step& step, const std::vector<at::Tensor>& values);
  // Runs the plan; visit(step, output) sees every output before its memory is given back.
  template <class Visit>
  at::Tensor evaluate(const at::Tensor& images, Visit visit);
  struct Rerun;
  at::Tensor first_value(const at::Tensor& images) const;
  at::Tensor evaluate_in_pieces(const at::Tensor& images);
  void cut_into_pieces();
  at::Tensor run_piece(std::pair<int, int> steps, const at::Tensor& x);
  NormParameters norm_parameters(const Step& step);
  Rng chance(int node) const { return Rng(dropout_seed, Purpose::kDropout, step, node); }
  at::Tensor drop(const at::Tensor& x, const Node& node, int index) const;
  at::Tensor kept(const at::Tensor& x, int mask_node) const;
};

}  // namespace likeness::model
