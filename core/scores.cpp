#include "core/scores.h"

#include <cmath>

#include "core/archive_columns.h"
#include "core/error.h"

namespace likeness {
namespace {

constexpr const char* kFormat = "likeness.scores";
constexpr std::int64_t kVersion = 1;

}  // namespace

void ScoreArchive::save(const std::filesystem::path& path, IfExists if_exists) const {
  const std::size_t n = size();
  LIKENESS_ASSERT(genuine.size() == n && subject_a.size() == n && subject_b.size() == n && (fold.empty() || fold.size() == n));
  write_atomically(path, if_exists, [&](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    write_format(file, kFormat, kVersion);
    file.set_attribute("protocol", protocol);
    file.set_attribute("trial_digest", trial_digest);
    file.set_attribute("contract", contract_json);
    file.write("score", scores);
    file.write("genuine", genuine);
    file.write("subject_a", subject_a);
    file.write("subject_b", subject_b);
    if (!fold.empty()) file.write("fold", fold);
    file.write_strings("subject_id", subject_ids);
    write_attributes(file, subject_attributes, subject_ids.size());
    file.close();
  });
}

ScoreArchive ScoreArchive::load(const std::filesystem::path& path) {
  const h5::File file = h5::File::open(path);
  check_format(file, kFormat, kVersion);
  ScoreArchive a;
  a.protocol = file.text_attribute("protocol");
  a.trial_digest = file.text_attribute("trial_digest");
  a.contract_json = file.text_attribute("contract");
  a.scores = file.read<double>("score");
  const std::size_t n = a.scores.size();
  for (std::size_t p = 0; p < n; ++p)
    if (!std::isnan(a.scores[p]) && std::abs(a.scores[p]) > 1)
      refuse_column(file, "score, pair " + std::to_string(p), "a cosine in [-1, 1], or NaN", std::to_string(a.scores[p]));
  a.genuine = read_column<std::uint8_t>(file, "genuine", n);
  a.subject_a = read_column<std::int64_t>(file, "subject_a", n);
  a.subject_b = read_column<std::int64_t>(file, "subject_b", n);
  if (file.has("fold")) a.fold = read_column<std::int32_t>(file, "fold", n);
  a.subject_ids = file.read_strings("subject_id");
  const auto subjects = static_cast<std::int64_t>(a.subject_ids.size());
  for (const auto* side : {&a.subject_a, &a.subject_b})
    for (std::int64_t s : *side)
      if (s < 0 || s >= subjects)
        refuse_column(file, side == &a.subject_a ? "subject_a" : "subject_b", "0 to " + std::to_string(subjects - 1), std::to_string(s));
  a.subject_attributes = read_attributes(file, a.subject_ids.size());
  return a;
}

std::string hash_subject(const std::string& name, const std::string& key) {
  if (key.empty()) fail_usage({"the key that hides subjects is empty", "--key FILE", "a file of random bytes", "0 bytes", "head -c 32 /dev/urandom > subjects.key"});
  // The key's length in front keeps (key, name) apart from (key + n, ame).
  const std::string length = std::to_string(key.size()) + ":";
  const std::string inner = Digest().add("likeness subject ").add(length).add(key).add(name).hex();
  return Digest().add(length).add(key).add(inner).hex();
}

}  // namespace likeness
