// The classifier's two passes over its classes, a tile of classes at a time: neither the B x C logits, nor a C x D
// gradient, nor a normalised copy of the centres exists as a whole.
//
//   pass 1   cosines of a tile = unit centres x unit embeddings; running sums per sample
//   pass 2   cosines again (kept from pass 1 where they fit the budget), their gradient from those sums, its products
//            with centres (the embeddings' gradient) and with embeddings (the tile's own gradient), and the optimizer's
//            step on the tile's rows while they are in the cache
//
// A sample's own class is left out of pass 1 (its logit has a margin and is added by the caller) and gets its gradient
// from the caller in pass 2.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "train/head/others.h"
#include "train/optim/row_rule.h"

namespace likeness::train {

inline constexpr double kSmallestNorm = 1e-12;  // norms below count as this, as in torch's normalize

// Sample `sample` belongs to the class at place `place` of the classes taking part.
struct OwnClass {
  std::int64_t place = 0, sample = 0;
};

// What both passes work on. Tensors are of one type, f32 or f64, on one device.
struct TileBatch {
  at::Tensor unit;                             // [B,D] embeddings of all ranks, L2-normalised
  const std::vector<std::int64_t>* classes{};  // classes taking part, ascending local indices; null: all
  std::vector<OwnClass> own = {};              // ascending by place
  at::Tensor centre = {};                      // [own] i64: which of the class's K centres is the sample's nearest
  Others<double> others = {};
  at::Tensor bar = {};  // [B] f64, for OthersKind::kCurriculum only
};

// Where a tile's gradient goes.
struct RowSink {
  const RowRule* rule = nullptr;       // step of the optimizer on the rows that take part; null: no step
  bool untouched_rows_too = false;     // and a step with gradient 0 on all others: what a dense gradient does
  std::vector<at::Tensor> state = {};  // the rule's buffers, [C*K,D] each
  at::Tensor gradient = {};            // [C*K,D]; defined: the gradient is added here
};

// What pass 1 finds per sample over the other classes.
struct OtherSums {
  at::Tensor top = {};    // [B] of the weight's type. kSoftmax: the largest logit; -inf where there is none
  at::Tensor sum = {};    // [B] f64. kSoftmax: of exp(logit - top). kBinary: of softplus(logit)
  at::Tensor slope = {};  // [B] f64. kBinary: of sigmoid(logit), the derivative of sum by the bias
};

class Tiles {
 public:
  virtual ~Tiles() = default;
  virtual OtherSums forward(const at::Tensor& weight, const TileBatch& batch) = 0;
  // After forward with the same batch; top over the classes of all ranks, not looked at for kBinary. The gradient by
  // the cosine of sample b with another class is factor[b] * (exp(logit - top[b]) or sigmoid(logit)) * (slope of the
  // others' rule), by that with its own class own[b] ([B] f64 each). Returns the gradient by unit [B,D] of these
  // classes alone; changes weight and sink.
  virtual at::Tensor backward(at::Tensor& weight, const TileBatch& batch, const at::Tensor& top,
                              const at::Tensor& factor, const at::Tensor& own, RowSink& sink) = 0;
};

struct TileOptions {
  std::int64_t sub_centers = 1;                     // K centres per class; rows of the weight are class-major
  std::int64_t keep_bytes = std::int64_t{1} << 30;  // cosines of pass 1 are kept where they need no more than this
  bool bf16 = false;  // operands of the products are rounded to bf16, sums stay in f32; for f32 tensors only
};

// For tensors of this type on the CPU: vectorised (kernel/kernels.h), all threads of torch, the same result for the
// same number of threads. Working memory is kept from step to step.
std::unique_ptr<Tiles> cpu_tiles(at::ScalarType type, const TileOptions& options);

// From torch's products and the operators of tile_op.h, on whatever device the tensors are: what a GPU runs.
// tile_classes: classes per product; 64 Ki fill a GPU and cost B x 64 Ki numbers.
std::unique_ptr<Tiles> torch_tiles(const TileOptions& options, std::int64_t tile_classes = std::int64_t{1} << 16);

}  // namespace likeness::train
