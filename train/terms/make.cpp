#include "train/terms/make.h"

#include <torch/torch.h>

#include "core/error.h"
#include "train/class_sums.h"
#include "train/identities.h"
#include "train/terms/compatibility.h"
#include "train/terms/distillation.h"

namespace likeness::train {
namespace {

// Rows of this rank's classes of a run's classifier, like the classifier's own centres.
at::Tensor rows_of(const std::vector<float>& all, std::int64_t first, std::int64_t count, std::int64_t dimension,
                   const at::Tensor& like) {
  const at::Tensor rows =
      at::from_blob(const_cast<float*>(all.data()) + first * dimension, {count, dimension}, at::kFloat);
  return rows.to(like.options(), /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

TermMaker::TermMaker(Recipe& recipe, const data::FaceSource& source, const ModelContract& contract, int threads,
                     bool cuda)
    : source_(source), threads_(threads), cuda_(cuda) {
  if (recipe.distill.teacher.on()) open_teacher(recipe, contract);
  if (recipe.compatible.old.on()) open_old(recipe, contract);
}

void TermMaker::open_teacher(Recipe& recipe, const ModelContract& contract) {
  GuideOptions options = recipe.distill.teacher;
  if (recipe.distill.logits > 0) {
    const auto checkpoint = checkpoint_of(options.model);
    if (checkpoint) taught_ = centres_of(*checkpoint, source_.digest());
    if (!taught_ || taught_->classes != source_.identities())
      fail_usage({.what = "the teacher has no classifier for these identities",
                  .where = "distill.logits",
                  .expected = "a run on the same set, with one centre per identity",
                  .got = options.model,
                  .hint = "distill.logits: 0 learns from the teacher's embeddings alone, which any model has"});
    options.model = (*checkpoint / "model.safetensors").string();  // the weights that this classifier belongs to
  }
  teacher_ = std::make_unique<Guide>(options, contract.geometry, "distill.teacher", threads_, cuda_);
  recipe.distill.teacher_hash = teacher_->weights_hash();
}

void TermMaker::open_old(Recipe& recipe, const ModelContract& contract) {
  CompatibleOptions& o = recipe.compatible;
  old_ = engine::open_engine(o.old.model, o.old.engine_options(threads_, cuda_));
  if (old_->contract().dimension != contract.dimension)
    fail_usage({.what = "embeddings of different widths cannot be compared",
                .where = "compatible_with: " + o.old.model,
                .expected = "backbone.embedding: " + std::to_string(old_->contract().dimension),
                .got = std::to_string(contract.dimension)});
  const auto checkpoint = checkpoint_of(o.old.model);
  if (checkpoint) old_classifier_ = centres_of(*checkpoint, source_.digest());
  if (old_classifier_ && old_classifier_->classes != source_.identities()) old_classifier_.reset();
  o.old_hash = old_->contract().weights_hash + (old_classifier_ ? ", its classifier" : ", means of its embeddings");
}

std::vector<std::unique_ptr<Term>> TermMaker::make(const Recipe& recipe, const Classifier& head) {
  std::vector<std::unique_ptr<Term>> terms;
  const ClassRange range = head.range();
  const at::Tensor& like = head.weight();
  if (teacher_) {
    const DistillOptions& o = recipe.distill;
    DistillationOptions options{.embedding = o.embedding,
                                .logits = o.logits,
                                .softmax = {.scale = recipe.loss.at("scale"), .temperature = o.temperature},
                                .dimension = like.size(1),
                                .taught_dimension = teacher_->dimension(),
                                .type = like.options().requires_grad(false),
                                .seed = recipe.seed};
    if (taught_) {
      options.softmax.taught_scale = taught_->scale;
      options.taught_centres = rows_of(taught_->rows, range.begin, range.count, taught_->dimension, like);
    }
    const Teacher teacher = [this](const at::Tensor& pixels) {
      LIKENESS_ASSERT(pixels.defined() && pixels.is_contiguous());
      const std::int64_t n = pixels.size(0);
      const std::vector<float> out = teacher_->embed(pixels.const_data_ptr<std::uint8_t>(), n);
      return at::from_blob(const_cast<float*>(out.data()), {n, teacher_->dimension()}, at::kFloat).clone();
    };
    terms.push_back(std::make_unique<Distillation>(std::move(options), teacher, head.group()));
  }
  if (old_) {
    if (old_centres_.empty() && !old_classifier_)
      old_centres_ = class_sums(*old_, source_, range, std::vector<bool>(static_cast<std::size_t>(range.count), true),
                                threads_, recipe.skip_bad);
    const std::int64_t d = like.size(1);
    const at::Tensor centres = old_classifier_ ? rows_of(old_classifier_->rows, range.begin, range.count, d, like)
                                               : rows_of(old_centres_, 0, range.count, d, like);
    terms.push_back(std::make_unique<Compatibility>(head.options(), centres, recipe.compatible.weight, head.group()));
  }
  return terms;
}

}  // namespace likeness::train
