#include "train/terms/old_centres.h"

#include <cstdlib>

#include "train/checkpoint.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;

std::int64_t number(const std::map<std::string, std::string>& facts, const std::string& key) {
  const auto it = facts.find(key);
  return it == facts.end() ? 0 : std::strtoll(it->second.c_str(), nullptr, 10);
}

}  // namespace

std::optional<RunCentres> centres_of(const fs::path& checkpoint, const std::string& data_digest) {
  const Checkpoint c = load_checkpoint(checkpoint);
  if (c.data_digest != data_digest || number(c.head.metadata, "sub_centers") != 1) return std::nullopt;
  RunCentres run{.checkpoint = checkpoint,
                 .classes = number(c.head.metadata, "classes"),
                 .dimension = number(c.head.metadata, "dimension"),
                 .rows = {}};
  const model::WeightTensor rows = join_rows(c.head, "weight", run.classes, run.dimension, checkpoint.string());
  for (double v : rows.as_double()) run.rows.push_back(static_cast<float>(v));
  const auto scale = c.settings.find("head.scale");
  if (scale != c.settings.end()) run.scale = std::strtod(scale->second.c_str(), nullptr);
  return run;
}

}  // namespace likeness::train
