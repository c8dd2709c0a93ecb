#include "train/further_sets.h"

#include "core/error.h"
#include "data/crop.h"
#include "train/centres.h"
#include "train/head_start.h"
#include "train/rehearsal.h"

namespace likeness::train {

FurtherSets::FurtherSets(Recipe& recipe, const FaceGeometry& geometry) {
  for (FurtherSetOptions& options : recipe.also) {
    const std::string name = set_name(options.data);
    for (const Set& other : sets_)
      if (other.name == name)
        fail_usage({.what = "two sets of one name",
                    .where = "also: " + options.data,
                    .expected = "names that tell the losses in the log apart",
                    .got = name + " twice"});
    sets_.push_back({.options = options, .name = name, .set = open_training_set(options.data, ""), .head = nullptr});
    const data::FaceSource& source = *sets_.back().set.source;
    check_training_set(source, options.batch * recipe.ranks);
    data::CropReader(source, geometry);
    options.digest = source.digest();
  }
}

void FurtherSets::make_heads(const Recipe& recipe, Group& group, model::TorchModel& model,
                             const ModelContract& contract, at::Device device, bool restored) {
  std::uint64_t place = 0;
  for (Set& s : sets_) {
    ClassifierOptions options = head_options(recipe, s.set.source->identities());
    options.seed = recipe.seed + ++place;  // class 0 of one set is not class 0 of another
    s.head = std::make_unique<Classifier>(options, at::kFloat, &group);
    s.head->to(device);
    if (!restored) start_centres(*s.head, model, contract, *s.set.source, recipe);
  }
}

std::vector<FurtherHead> FurtherSets::heads() const {
  std::vector<FurtherHead> heads;
  for (const Set& s : sets_) heads.push_back({.name = s.name, .head = s.head.get(), .weight = s.options.weight});
  return heads;
}

std::vector<FeedSet> FurtherSets::feeds(const Recipe& recipe, const FaceGeometry& geometry, const Group& group) const {
  std::vector<FeedSet> feeds;
  for (const Set& s : sets_) {
    Recipe own = recipe;
    own.batch = s.options.batch;
    const data::FaceSource& source = *s.set.source;
    feeds.push_back({.source = &source,
                     .name = s.name,
                     .loading = loader_options(own, source, geometry, group.rank(), group.size())});
  }
  return feeds;
}

void FurtherSets::add_facts(Facts* facts) const {
  for (const Set& s : sets_)
    facts->emplace_back("also " + s.name, s.set.source->path().string() + ", digest " + s.set.source->digest() + ", " +
                                              std::to_string(s.set.source->size()) + " pictures, " +
                                              std::to_string(s.set.source->identities()) + " identities");
}

}  // namespace likeness::train
