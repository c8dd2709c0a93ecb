// The class centres, shared out over the ranks, and a training step on them: loss, the embeddings' gradient, and the
// centres' own update, without ever holding the B x C logits or a C x D gradient (tiles.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "train/dist/group.h"
#include "train/head/classes.h"
#include "train/head/loss.h"
#include "train/head/sample_stages.h"
#include "train/head/tiles.h"
#include "train/head/triplet.h"

namespace likeness::train {

struct ClassifierOptions {
  std::int64_t classes = 0;    // C, over all ranks
  std::int64_t dimension = 0;  // D
  LossOptions loss = {};
  std::int64_t sub_centers = 1;  // K centres per class, of which the nearest counts: label noise gathers in the others
  double sample_rate = 1;        // share of the classes that take part in a step (PartialFC); 0: the positives alone
  std::vector<SampleStage> sample_stages = {};  // other rates before that one, by share of `steps`
  std::int64_t steps = 0;                       // of the run; for sample_stages
  bool sparse = false;  // true: centres that take no part do not move (PartialFC v1); false: decay and momentum
                        // move them (v2, arcface_torch now)
  std::int64_t keep_bytes = std::int64_t{1} << 30;  // cosines are computed twice where B x C needs more than this
  bool bf16 = false;               // tiles multiply operands rounded to bf16; centres, buffers and sums stay in f32
  TripletOptions triplet = {};     // beside the loss
  bool cap_reported_loss = false;  // a sample counts at most 69.08 in the reported mean: arcface_torch's 1e-30 floor
  double init_std = 0.01;  // centres start as N(0, init_std): only their direction enters the loss, but a small norm
                           // turns faster
  std::uint64_t seed = 0;  // centre k of class c is a function of (seed, c, k) alone: any split over ranks starts alike
};

// What several batches collect before one step of the optimizer.
struct HeadGradient {
  at::Tensor centres;    // [rows,D] as Classifier::weight()
  at::Tensor bias = {};  // [1] f64 on the CPU; undefined where the loss has no bias
  void zero();
};

struct HeadStep {
  at::Tensor loss;  // mean over the labelled samples of all ranks, 0-dimensional, on the embeddings' device
  at::Tensor embeddings =
      {};              // [B,D] gradient by this rank's embeddings, times the number of ranks: averaging backbone
                       // gradients over ranks then gives the gradient of the mean loss over all samples
  bool finite = true;  // false: the loss is not finite, and nothing was changed
};

// Not thread-safe. All ranks call step together, with equal batches.
class Classifier {
 public:
  // f32 or f64. `group` outlives the classifier; null: alone.
  Classifier(const ClassifierOptions& options, at::ScalarType type, Group* group = nullptr);

  // embeddings [B,D] (not normalised; norms below 1e-12 count as 1e-12), labels [B] i64 on the CPU, each -1 (no class:
  // the sample has no part in the step) or in [0,C). `rule`: the optimizer's step on the centres; null: they stay.
  // `gradient`: this batch's is added to it. `share`: of this batch in a larger one, a factor on all gradients.
  // Cross-entropy is exact (log-sum-exp). For given `step` and labels the classes taking part are the same whenever it
  // is called.
  HeadStep step(const at::Tensor& embeddings, const at::Tensor& labels, std::int64_t step, const RowRule* rule,
                HeadGradient* gradient = nullptr, double share = 1);
  HeadGradient zero_gradient() const;
  // The optimizer's step with a gradient collected over several calls.
  void apply(const RowRule& rule, const HeadGradient& gradient);
  // The same for given classes (local indices, ascending) instead of sampled ones: replays and tests.
  HeadStep step_on(const std::vector<std::int64_t>& classes, const at::Tensor& embeddings, const at::Tensor& labels,
                   std::int64_t step, const RowRule* rule, HeadGradient* gradient = nullptr);

  // This rank's centres, [count * K, D], class-major, and the optimizer's buffers (as many as the first rule wants).
  at::Tensor& weight() { return weight_; }
  const at::Tensor& weight() const { return weight_; }
  std::vector<at::Tensor>& buffers() { return buffers_; }
  const std::vector<at::Tensor>& buffers() const { return buffers_; }
  void make_buffers(int count);
  // One number for all classes, where the loss is binary: [1] f64 on the CPU, equal on all ranks, stepped by the
  // centres' rule (decay included, as in the authors' programs). Undefined elsewhere.
  at::Tensor& bias() { return bias_; }
  std::vector<at::Tensor>& bias_buffers() { return bias_buffers_; }
  const ClassRange& range() const { return range_; }
  const ClassifierOptions& options() const { return options_; }
  Loss& loss() const { return *loss_; }
  Group& group() const { return *group_; }
  void to(at::Device device);

 private:
  struct Gathered;
  HeadStep run(const Gathered& all, const std::vector<std::int64_t>* classes, std::int64_t step, const RowRule* rule,
               HeadGradient* gradient, double share);
  // The other classes' rule in this step.
  Others<double> others() const;
  Gathered gather(const at::Tensor& embeddings, const at::Tensor& labels);
  // Fills batch->own and batch->centre with this rank's; [B] f64, 0 for the samples of other ranks' classes.
  at::Tensor own_cosines(const Gathered& all, TileBatch* batch) const;

  ClassifierOptions options_;
  std::unique_ptr<Group> alone_;
  Group* group_;
  ClassRange range_;
  std::unique_ptr<Loss> loss_;
  Reduction reduction_;
  BinaryTerms terms_;
  std::unique_ptr<Tiles> tiles_;
  at::Tensor weight_;
  std::vector<at::Tensor> buffers_;
  at::Tensor bias_;
  std::vector<at::Tensor> bias_buffers_;
};

}  // namespace likeness::train
