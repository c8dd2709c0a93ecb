// Class centres that a finished run offers for the identities of a training set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace likeness::train {

// The classifier of a run: one centre per identity, and the scale of its logits.
struct RunCentres {
  std::filesystem::path checkpoint;
  std::int64_t classes = 0, dimension = 0;
  std::vector<float> rows;  // [classes, dimension]
  double scale = 64;
};

// The classifier of `checkpoint`, if it was trained on the pictures with this digest and has one centre per identity
// (with sub-centres none is the identity's); else nothing. Errors as load_checkpoint.
std::optional<RunCentres> centres_of(const std::filesystem::path& checkpoint, const std::string& data_digest);

}  // namespace likeness::train
