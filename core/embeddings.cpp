#include "core/embeddings.h"

#include <cmath>

#include "core/archive_columns.h"
#include "core/error.h"

namespace likeness {
namespace {

// The first row with a number that is not finite, or N.
std::size_t first_bad_row(const EmbeddingArchive& a) {
  const auto d = static_cast<std::size_t>(a.dimension);
  for (std::size_t i = 0; i < a.embeddings.size(); ++i)
    if (!std::isfinite(a.embeddings[i])) return i / d;
  return a.size();
}

void refuse_bad_rows(const EmbeddingArchive& a, const std::filesystem::path& path) {
  const std::size_t row = first_bad_row(a);
  if (row == a.size()) return;
  fail_data({"an embedding is not finite", path.string() + ", row " + std::to_string(row) + " (" + a.keys[row] + ")", "finite numbers",
             "NaN or infinity", "embed the set again, or mark the picture as failed"});
}

}  // namespace

void EmbeddingArchive::save(const std::filesystem::path& path, IfExists if_exists) const {
  const std::size_t n = size();
  LIKENESS_ASSERT(dimension > 0 && embeddings.size() == n * static_cast<std::size_t>(dimension));
  LIKENESS_ASSERT(norms.size() == n && failed.size() == n && subjects.size() == n);
  LIKENESS_ASSERT((media.empty() || media.size() == n) && (templates.empty() || templates.size() == n));
  refuse_bad_rows(*this, path);
  write_atomically(path, if_exists, [&](const std::filesystem::path& temporary) {
    h5::File file = h5::File::create(temporary);
    write_format(file, kEmbeddingsFormat, kEmbeddingsVersion);
    file.set_attribute("contract", contract.to_json());
    file.set_attribute("data_digest", data_digest);
    file.write("embeddings", embeddings.data(), {n, static_cast<hsize_t>(dimension)});
    file.write("norms", norms);
    file.write("failed", failed);
    file.write_strings("key", keys);
    file.write("subject", subjects);
    file.write_strings("subject_names", subject_names);
    if (!media.empty()) file.write("media", media);
    if (!templates.empty()) file.write("template", templates);
    write_attributes(file, attributes, n);
    file.close();
  });
}

EmbeddingArchive EmbeddingArchive::load(const std::filesystem::path& path) {
  const h5::File file = h5::File::open(path);
  check_format(file, kEmbeddingsFormat, kEmbeddingsVersion);
  EmbeddingArchive a;
  a.contract = ModelContract::from_json(file.text_attribute("contract"), path.string() + ", contract");
  a.data_digest = file.text_attribute("data_digest");
  const auto shape = file.shape("embeddings");
  if (shape.size() != 2 || shape[1] == 0) refuse_column(file, "embeddings", "a matrix [N,D]", "rank " + std::to_string(shape.size()));
  const auto n = static_cast<std::size_t>(shape[0]);
  a.dimension = static_cast<std::int64_t>(shape[1]);
  a.embeddings = file.read<float>("embeddings");
  a.norms = read_column<float>(file, "norms", n);
  a.failed = read_column<std::uint8_t>(file, "failed", n);
  a.keys = file.read_strings("key");
  if (a.keys.size() != n) refuse_column(file, "key", std::to_string(n) + " keys", std::to_string(a.keys.size()));
  a.subjects = read_column<std::int64_t>(file, "subject", n);
  a.subject_names = file.read_strings("subject_names");
  const auto subjects = static_cast<std::int64_t>(a.subject_names.size());
  for (std::int64_t s : a.subjects)
    if (s < -1 || s >= subjects) refuse_column(file, "subject", "-1 (unknown) to " + std::to_string(subjects - 1), std::to_string(s));
  if (file.has("media")) a.media = read_column<std::int64_t>(file, "media", n);
  if (file.has("template")) a.templates = read_column<std::int64_t>(file, "template", n);
  a.attributes = read_attributes(file, n);
  refuse_bad_rows(a, path);
  return a;
}

}  // namespace likeness
