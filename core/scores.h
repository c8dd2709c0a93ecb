// *.scores.h5: comparisons without biometrics, enough for every 1:1 metric, interval and gate (docs/formats/scores.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "core/file.h"

namespace likeness {

struct ScoreArchive {
  std::vector<double> scores;             // [P] similarity; NaN where a side failed to acquire
  std::vector<std::uint8_t> genuine;      // [P] 1: same person
  std::vector<std::int64_t> subject_a;    // [P] row of the subject table
  std::vector<std::int64_t> subject_b;    // [P]
  std::vector<std::int32_t> fold;         // [P] or empty
  std::vector<std::string> subject_ids;   // [S] names hashed with the user's key file (never stored)
  AttributeTable subject_attributes;      // [S] rows
  std::string protocol;                   // "lfw pairs", "all pairs"
  std::string trial_digest;               // of the trial list, so that two archives can be paired
  std::string contract_json;              // of the model

  std::size_t size() const { return scores.size(); }
  void save(const std::filesystem::path& path, IfExists if_exists) const;
  static ScoreArchive load(const std::filesystem::path& path);
};

// Keyed digest of a subject's name: HMAC-like xxh3-128 over the key file's bytes and the name, 32 hexadecimal digits. It hides names
// from those without the key; xxh3 is no cryptographic hash, so guard the archive as well as the key. kUsage when the key is empty.
std::string hash_subject(const std::string& name, const std::string& key);

}  // namespace likeness
