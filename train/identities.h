// Who the class centres of a run belong to: identities.json in its folder, the names in label order.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/face_source.h"

namespace likeness::train {

// Writes <run>/identities.json where it is not there yet: the set of a run does not change.
void write_identities(const std::filesystem::path& run, const data::FaceSource& source);
// Those of a run folder, or of the run that a checkpoint lies in. kData naming the file when it is missing or
// malformed.
std::vector<std::string> read_identities(const std::filesystem::path& run_or_checkpoint);

// The checkpoint meant by a path: itself, or the newest of a run folder; nothing when it is neither.
std::optional<std::filesystem::path> checkpoint_of(const std::filesystem::path& run_or_checkpoint);
// The same. kUsage when it is neither: class centres are kept nowhere else.
std::filesystem::path find_checkpoint(const std::filesystem::path& run_or_checkpoint);

}  // namespace likeness::train
