#include "train/identities.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "train/checkpoint.h"

namespace likeness::train {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFile = "identities.json";
constexpr const char* kFormat = "likeness.identities/1";

}  // namespace

void write_identities(const fs::path& run, const data::FaceSource& source) {
  if (fs::exists(run / kFile)) return;
  nlohmann::json names = nlohmann::json::array();
  for (std::int64_t label = 0; label < source.identities(); ++label) names.push_back(source.identity_name(label));
  const nlohmann::json json = {{"format", kFormat}, {"names", std::move(names)}};
  // A name that is no UTF-8 keeps its place, and matches no other.
  write_atomically(run / kFile, IfExists::kReplace,
                   json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::vector<std::string> read_identities(const fs::path& run_or_checkpoint) {
  fs::path file = run_or_checkpoint / kFile;
  if (!fs::exists(file)) file = fs::absolute(run_or_checkpoint).lexically_normal() / "../.." / kFile;
  if (!fs::exists(file))
    fail_data({.what = "nobody knows whose class centres these are",
               .where = run_or_checkpoint.string(),
               .expected = std::string(kFile) + " in the run's folder",
               .got = "none",
               .hint = "head.centres: data makes centres from the pictures instead"});
  try {
    const nlohmann::json json = nlohmann::json::parse(read_text(file));
    if (json.at("format") == kFormat) return json.at("names").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
  }
  fail_data({.what = "list of identities cannot be read",
             .where = file.string(),
             .expected = std::string(R"({"format":")") + kFormat + R"(","names":[…]})",
             .got = "something else"});
}

std::optional<fs::path> checkpoint_of(const fs::path& run_or_checkpoint) {
  if (fs::exists(run_or_checkpoint / "state.json")) return run_or_checkpoint;
  return newest_checkpoint(run_or_checkpoint);
}

fs::path find_checkpoint(const fs::path& run_or_checkpoint) {
  if (const auto found = checkpoint_of(run_or_checkpoint)) return *found;
  fail_usage({.what = "class centres are kept in checkpoints only",
              .where = run_or_checkpoint.string(),
              .expected = "a run folder or a checkpoint as backbone.init for head.centres: run",
              .got = "neither",
              .hint = "head.centres: data makes centres from the pictures instead"});
}

}  // namespace likeness::train
