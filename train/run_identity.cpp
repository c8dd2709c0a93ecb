#include "train/run_identity.h"

#include <cmath>

#include "core/error.h"
#include "core/version.h"

namespace likeness::train {

namespace fs = std::filesystem;

std::vector<std::int64_t> pictures_of_step(data::SamplerOptions options, std::int64_t pictures, std::int64_t accumulate,
                                           std::int64_t step) {
  options.batch *= options.world;
  options.rank = 0, options.world = 1;
  const std::int64_t size = options.batch;
  const data::Sampler sampler(pictures, std::move(options));
  const std::int64_t per_epoch = sampler.batches_per_epoch();
  std::vector<std::int64_t> drawn;
  for (std::int64_t k = (step - 1) * accumulate; k < step * accumulate; ++k)
    for (std::int64_t b = 0; b < size; ++b) drawn.push_back(sampler.at(k / per_epoch, k % per_epoch, b));
  return drawn;
}

// Same weights after the same steps need the same settings and data: anything else is another run.
void check_same_run(const Checkpoint& c, const Recipe& recipe, const data::FaceSource& source, const fs::path& where) {
  for (const auto& [key, value] : recipe.settings()) {
    const auto it = c.settings.find(key);
    const std::string old = it == c.settings.end() ? "nothing" : it->second;
    if (old != value)
      fail_usage({.what = "this run began with another setting",
                  .where = where.string() + ", " + key,
                  .expected = old,
                  .got = value,
                  .hint = "--resume goes on with the same recipe; --out begins another run"});
  }
  for (const auto& [key, value] : c.settings)
    if (recipe.settings().count(key) == 0)
      fail_usage({.what = "this run began with another setting",
                  .where = where.string() + ", " + key,
                  .expected = value,
                  .got = "nothing",
                  .hint = "--resume goes on with the same recipe; --out begins another run"});
  if (c.data_digest != source.digest())
    fail_data({.what = "this run began with other pictures",
               .where = source.path().string(),
               .expected = "digest " + c.data_digest,
               .got = source.digest(),
               .hint = "--resume goes on with the same set; --out begins another run"});
}

Facts facts_of(const std::string& command, const Recipe& recipe, const TrainingSet& set, const std::string& device,
               bool on_cpu, int threads, const std::string& torch_version) {
  Facts facts = {{"command", command},
                 {"data", set.source->path().string()},
                 {"data_digest", set.source->digest()},
                 {"pictures", std::to_string(set.source->size())},
                 {"identities", std::to_string(set.source->identities())},
                 {"exclude", recipe.exclude},
                 {"excluded", std::to_string(set.excluded)},
                 {"init", recipe.init},
                 {"precision", recipe.precision},
                 {"device", device},
                 {"threads", std::to_string(threads)},
                 {"ranks", std::to_string(recipe.ranks)},
                 {"revision", git_revision()},
                 {"version", version_text()},
                 {"torch", torch_version},
                 {"cpu", cpu_features()},
                 {"determinism", on_cpu ? "bit-identical for the same binary, machine type, seed and threads"
                                        : "sums on the GPU run in any order"}};
  if (recipe.ema.on())
    facts.emplace_back("judged",
                       "moving average of the weights (ema.safetensors); model.safetensors is the network as "
                       "it was trained");
  return facts;
}

}  // namespace likeness::train
