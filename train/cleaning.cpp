#include "train/cleaning.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <numbers>
#include <numeric>

#include "core/config.h"
#include "core/error.h"
#include "engine/engine.h"
#include "train/checkpoint.h"
#include "train/embed_portions.h"
#include "train/identities.h"
#include "train/recipe.h"
#include "train/training_set.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;

fs::path judge_of(const fs::path& run) {
  if (const auto found = checkpoint_of(run)) return *found;
  fail_data({.what = "no checkpoint to judge pictures by",
             .where = run.string(),
             .expected = "a run folder or one of its checkpoints",
             .got = fs::exists(run) ? "a folder without" : "nothing of that name"});
}

std::int64_t number(const model::Weights& head, const std::string& key, const fs::path& where) {
  const auto it = head.metadata.find(key);
  if (it == head.metadata.end())
    fail_data({.what = "head without a description", .where = where.string(), .expected = key, .got = "nothing"});
  return std::stoll(it->second);
}

SubCenters centres_of(const Checkpoint& c, const fs::path& checkpoint) {
  const std::int64_t classes = number(c.head, "classes", checkpoint),
                     centres = number(c.head, "sub_centers", checkpoint),
                     dimension = number(c.head, "dimension", checkpoint);
  if (centres < 2)
    fail_usage({.what = "the run has one centre per identity, which shows no label noise",
                .where = checkpoint.string(),
                .expected = "a run with head.sub_centers 2 or more",
                .got = "1",
                .hint = "train with --set head.sub_centers=3 first"});
  const model::WeightTensor rows = join_rows(c.head, "weight", classes * centres, dimension, checkpoint.string());
  if (rows.dtype != "F32")
    fail_data({.what = "centres of another type", .where = checkpoint.string(), .expected = "F32", .got = rows.dtype});
  std::vector<float> values(rows.data.size() / sizeof(float));
  std::memcpy(values.data(), rows.data.data(), rows.data.size());
  return {std::move(values), classes, static_cast<int>(centres), dimension};
}

TrainingSet set_of(const CleaningRequest& request, const Checkpoint& c, const fs::path& checkpoint) {
  const fs::path config_file = checkpoint.parent_path().parent_path() / "config.yaml";
  Config config = Config::load(config_file);
  const Recipe recipe = read_recipe(config);
  TrainingSet set = open_training_set(request.data.empty() ? recipe.data : request.data.string(), recipe.exclude);
  if (set.source->digest() != c.data_digest)
    fail_data({.what = "the run was trained on other pictures",
               .where = set.source->path().string(),
               .expected = "digest " + c.data_digest,
               .got = set.source->digest(),
               .hint = "--data names the set where it has moved"});
  return set;
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\t") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string list_text(const NoiseReport& report, const data::FaceSource& source) {
  std::string text = "record,identity,cosine,degrees,center,dominant\n";
  for (const Suspect& s : report.suspects) {
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, ",%.4f,%.1f,%d,%d\n", s.cosine, std::acos(s.cosine) * 180 / std::numbers::pi,
                  s.nearest, s.dominant);
    text += quoted(source.key(s.picture)) + "," + quoted(source.identity_name(s.label)) + numbers;
  }
  return text;
}

void write_centers(const fs::path& file, IfExists if_exists, const SubCenters& centres, const NoiseReport& report,
                   const model::Weights& head) {
  const std::vector<float> rows = centres.dominant_rows(report);
  const auto classes = static_cast<std::int64_t>(report.dominant.size());
  const std::int64_t dimension = static_cast<std::int64_t>(rows.size()) / classes;
  model::Weights weights{.tensors = {}, .metadata = head.metadata};
  weights.metadata["sub_centers"] = "1";
  weights.tensors[row_range("weight", 0, classes)] = model::WeightTensor::f32({classes, dimension}, rows.data());
  model::write_safetensors(file, weights, if_exists);
}

}  // namespace

CleaningOutcome clean(const CleaningRequest& request) {
  check_output(request.list, request.if_exists);
  if (!request.centers.empty()) check_output(request.centers, request.if_exists);
  const fs::path checkpoint = judge_of(request.run);
  const Checkpoint c = load_checkpoint(checkpoint);
  SubCenters centres = centres_of(c, checkpoint);
  const TrainingSet set = set_of(request, c, checkpoint);
  const data::FaceSource& source = *set.source;
  const auto engine = engine::open_engine(
      checkpoint, {.threads = request.threads, .device = request.device, .preprocess = {}, .geometry = {}});

  CleaningOutcome outcome{.data = source.path().string(), .checkpoint = checkpoint.string()};
  std::vector<std::int64_t> rows(static_cast<std::size_t>(source.size()));
  std::iota(rows.begin(), rows.end(), 0);
  const engine::EmbedOptions options{.threads = request.threads,
                                     .skip_bad = request.skip_bad,
                                     .assume_aligned = true,  // the run was trained on these very pictures
                                     .progress = {}};
  embed_in_portions(
      *engine, source, rows, options, "drop", [&](const EmbeddingArchive& a, std::size_t i, std::int64_t row) {
        if (a.failed[i])
          ++outcome.unreadable;
        else
          centres.add(row, a.subjects[i], a.embeddings.data() + i * static_cast<std::size_t>(a.dimension));
      });
  outcome.report = centres.report(request.degrees);
  write_atomically(request.list, request.if_exists, list_text(outcome.report, source));
  if (!request.centers.empty()) write_centers(request.centers, request.if_exists, centres, outcome.report, c.head);
  return outcome;
}

}  // namespace likeness::train
