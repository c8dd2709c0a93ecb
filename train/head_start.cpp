#include "train/head_start.h"

#include <torch/torch.h>

#include "core/error.h"
#include "model/torch/tensors.h"
#include "train/checkpoint.h"
#include "train/identities.h"

namespace likeness::train {

namespace fs = std::filesystem;

ClassifierOptions head_options(const Recipe& r, std::int64_t classes) {
  return {.classes = classes,
          .dimension = r.backbone.embedding,
          .loss = r.loss,
          .sub_centers = r.sub_centers,
          .sample_rate = r.sample_rate,
          .sample_stages = r.sample_stages,
          .steps = r.schedule.total,
          .sparse = r.sparse,
          .keep_bytes = r.head_keep_bytes,
          .bf16 = r.head_precision == "bf16",
          .triplet = {.weight = r.triplet_weight, .margin = r.triplet_margin},
          .cap_reported_loss = r.cap_reported_loss,
          .init_std = r.head_std,
          .seed = r.seed};
}

void load_rows(const model::Weights& weights, const std::string& name, const Classifier& head, at::Tensor target,
               const std::string& where) {
  at::NoGradGuard no_grad;
  const std::int64_t centres = head.options().sub_centers;
  const model::WeightTensor all =
      join_rows(weights, name, head.options().classes * centres, head.options().dimension, where);
  target.copy_(
      model::to_tensor(all, target.scalar_type(), where).narrow(0, head.range().begin * centres, target.size(0)));
}

void start_head(Classifier& head, const fs::path& from) {
  model::Weights weights;
  std::string where = from.string();
  if (from.extension() == ".safetensors") {
    weights = model::read_safetensors(from);
  } else {
    const fs::path folder = checkpoint_of(from).value_or(from);
    weights = load_checkpoint(folder).head;
    where = (folder / "head.safetensors").string();
  }
  for (const auto& [key, own] : {std::pair<const char*, std::int64_t>{"classes", head.options().classes},
                                 {"sub_centers", head.options().sub_centers},
                                 {"dimension", head.options().dimension}}) {
    const auto it = weights.metadata.find(key);
    const std::string theirs = it == weights.metadata.end() ? "nothing" : it->second;
    if (theirs != std::to_string(own))
      fail_data({.what = "class centres are those of another head",
                 .where = where + ", " + key,
                 .expected = std::to_string(own),
                 .got = theirs,
                 .hint = "head.init needs the same identities, head.sub_centers and backbone.embedding"});
  }
  load_rows(weights, "weight", head, head.weight(), where);
}

}  // namespace likeness::train
