#include "train/centres.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/rng.h"
#include "model/torch/tensors.h"
#include "train/checkpoint.h"
#include "train/class_sums.h"
#include "train/identities.h"
#include "train/live_engine.h"

namespace likeness::train {
namespace {

// How far a class's further centres stand from the first, as a share of its length.
constexpr double kSpread = 0.1;

// The K centres of local class c: `length` long, the first along `direction` [D].
void put_centres(const Classifier& head, at::Tensor& weight, std::int64_t c, const at::Tensor& direction,
                 double length) {
  const ClassifierOptions& o = head.options();
  const at::Tensor unit = direction / direction.norm();
  for (std::int64_t k = 0; k < o.sub_centers; ++k) {
    at::Tensor centre = unit;
    if (k > 0) {  // equal centres would stay equal
      const auto first = static_cast<std::uint64_t>((head.range().begin + c) * o.sub_centers + k);
      Rng rng(o.seed, Purpose::kHead, 1, first);
      at::Tensor noise = at::empty_like(unit);
      const double deviation = kSpread / std::sqrt(static_cast<double>(unit.numel()));
      for (std::int64_t d = 0; d < unit.numel(); ++d)
        noise.mutable_data_ptr<float>()[d] = static_cast<float>(deviation * rng.normal());
      centre = unit + noise;
      centre = centre / centre.norm();
    }
    weight[c * o.sub_centers + k].copy_(centre * length);
  }
}

struct Kept {
  std::vector<bool> missing;  // of the own classes: no centre was found
  std::int64_t count = 0;     // of all classes: those found
  double length = 0;          // mean over the centres found, of all ranks' classes
};

Kept copy_from_run(const Classifier& head, at::Tensor& weight, const data::FaceSource& source, const Recipe& recipe) {
  const std::filesystem::path folder = find_checkpoint(recipe.init);
  const auto refuse = [&](const std::string& what, const std::string& expected, const std::string& got) {
    fail_data({.what = what,
               .where = folder.string(),
               .expected = expected,
               .got = got,
               .hint = "head.centres: data makes centres from the pictures instead"});
  };
  const Checkpoint c = load_checkpoint(folder);
  const std::vector<std::string> names = read_identities(folder);
  const ClassifierOptions& o = head.options();
  const auto stored = [&](const char* key) { return c.head.metadata.at(key); };
  if (stored("dimension") != std::to_string(o.dimension))
    refuse("class centres have another width", "backbone.embedding: " + std::to_string(o.dimension),
           stored("dimension"));
  if (stored("sub_centers") != std::to_string(o.sub_centers))
    refuse("the run has another number of centres per class", "head.sub_centers: " + std::to_string(o.sub_centers),
           stored("sub_centers"));
  if (stored("classes") != std::to_string(names.size()))
    refuse("names and centres do not agree", stored("classes") + " names", std::to_string(names.size()));
  const at::Tensor old =
      model::to_tensor(join_rows(c.head, "weight", static_cast<std::int64_t>(names.size()) * o.sub_centers, o.dimension,
                                 folder.string()),
                       weight.scalar_type(), folder.string());
  std::map<std::string, std::int64_t> place;
  for (std::size_t i = 0; i < names.size(); ++i) place.emplace(names[i], static_cast<std::int64_t>(i));
  Kept kept{.missing = std::vector<bool>(static_cast<std::size_t>(head.range().count), true)};
  for (std::int64_t label = 0; label < o.classes; ++label) {
    const auto found = place.find(source.identity_name(label));
    if (found == place.end()) continue;
    ++kept.count;
    const at::Tensor rows = old.narrow(0, found->second * o.sub_centers, o.sub_centers);
    kept.length += at::linalg_vector_norm(rows, 2, at::IntArrayRef{1}).mean().item<double>();
    if (!head.range().holds(label)) continue;
    const std::int64_t local = label - head.range().begin;
    kept.missing[static_cast<std::size_t>(local)] = false;
    weight.narrow(0, local * o.sub_centers, o.sub_centers).copy_(rows);
  }
  if (kept.count == 0)
    refuse("the run knows none of the set's identities", "names in common, such as " + source.identity_name(0),
           "names such as " + names.at(0));
  kept.length /= static_cast<double>(kept.count);
  return kept;
}

}  // namespace

void start_centres(Classifier& head, model::TorchModel& model, const ModelContract& contract,
                   const data::FaceSource& source, const Recipe& recipe) {
  if (recipe.centres == "random") return;
  const at::NoGradGuard no_grad;
  at::Tensor weight = head.weight().cpu().to(at::kFloat);
  const ClassifierOptions& o = head.options();
  std::vector<bool> wanted(static_cast<std::size_t>(head.range().count), true);
  double length = o.init_std * std::sqrt(static_cast<double>(o.dimension));
  if (recipe.centres == "run") {
    Kept kept = copy_from_run(head, weight, source, recipe);
    wanted = std::move(kept.missing);
    length = kept.length;
    log_info("class centres: " + format_count(static_cast<std::uint64_t>(kept.count)) + " kept from " + recipe.init +
             ", " + format_count(static_cast<std::uint64_t>(o.classes - kept.count)) + " new");
  }
  if (std::find(wanted.begin(), wanted.end(), true) != wanted.end()) {
    LiveEngine live(model, contract);
    std::vector<float> by_class =
        class_sums(live, source, head.range(), wanted, at::get_num_threads(), recipe.skip_bad);
    const at::Tensor sums = at::from_blob(by_class.data(), {head.range().count, o.dimension}, at::kFloat);
    for (std::int64_t c = 0; c < head.range().count; ++c)
      if (wanted[static_cast<std::size_t>(c)] && sums[c].norm().item<double>() > 0)
        put_centres(head, weight, c, sums[c], length);
  }
  head.weight().copy_(weight);
}

}  // namespace likeness::train
