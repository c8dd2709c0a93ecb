#include "train/training_set.h"

#include "core/error.h"
#include "core/progress.h"
#include "data/subset.h"

namespace likeness::train {

TrainingSet open_training_set(const std::string& data, const std::string& exclude) {
  TrainingSet set{.source = data::open_faces(data)};
  if (exclude.empty()) return set;
  std::vector<std::int64_t> dropped = data::listed_pictures(*set.source, exclude);
  set.excluded = static_cast<std::int64_t>(dropped.size());
  set.source = data::without_pictures(std::move(set.source), std::move(dropped));
  return set;
}

data::LoaderOptions loader_options(const Recipe& recipe, const data::FaceSource& source, const FaceGeometry& geometry,
                                   int rank, int world) {
  const auto identities = recipe.per_identity > 0 ? std::make_shared<const data::IdentityIndex>(source) : nullptr;
  return {.geometry = geometry,
          .sampler = {.seed = recipe.seed,
                      .rank = rank,
                      .world = world,
                      .batch = recipe.batch,
                      .shuffle = true,
                      .drop_last = true,
                      .identities = identities,
                      .per_identity = recipe.per_identity},
          .workers = recipe.workers,
          .prefetch = 4,
          .flip = recipe.flip,
          .on_bad = recipe.skip_bad ? data::OnBad::kSkip : data::OnBad::kFail,
          .allocate = {}};
}

void check_training_set(const data::FaceSource& source, std::int64_t batch) {
  const std::string where = source.path().string();
  const std::int64_t pictures = source.size(), classes = source.identities();
  if (pictures == 0)
    fail_data({.what = "training set is empty", .where = where, .expected = "labelled pictures", .got = "none"});
  if (classes < 2)
    fail_data({.what = "training set has one identity",
               .where = where,
               .expected = "two or more",
               .got = std::to_string(classes),
               .hint = "a classifier learns faces by telling people apart"});
  for (std::int64_t i = 0; i < pictures; ++i) {
    const std::int64_t label = source.label(i);
    if (label < 0 || label >= classes)
      fail_data({.what = "label is outside the set's identities",
                 .where = where + ", " + source.key(i),
                 .expected = "0 … " + std::to_string(classes - 1),
                 .got = label == -1 ? "-1 (unknown)" : std::to_string(label),
                 .hint = "import the set again, or leave such pictures out"});
  }
  if (pictures < batch)
    fail_data({.what = "training set is smaller than one batch",
               .where = where,
               .expected = format_count(static_cast<std::uint64_t>(batch)) + " pictures or more",
               .got = format_count(static_cast<std::uint64_t>(pictures)),
               .hint = "lower batch"});
}

}  // namespace likeness::train
