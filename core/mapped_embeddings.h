// The embeddings of an archive too large to be read: mapped, so that a million people cost address space instead of
// memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/preprocess.h"

namespace likeness {

// What a search needs of a *.emb.h5 (core/embeddings.h). An archive of another writer whose matrix is chunked,
// compressed, of another type or byte order is read into memory instead. Safe to read from many threads.
class MappedEmbeddings {
 public:
  // kData naming file and dataset: not such an archive, of a later version, damaged. Whether the numbers are finite is
  // not looked at here: who computes norms sees it (eval/metrics/scoring.h).
  explicit MappedEmbeddings(const std::filesystem::path& path);

  std::int64_t size() const { return static_cast<std::int64_t>(failed_.size()); }  // N
  std::int64_t dimension() const { return dimension_; }                            // D
  std::span<const float> embeddings() const { return embeddings_; }                // [N,D] raw
  std::span<const std::uint8_t> failed() const { return failed_; }                 // [N]
  const ModelContract& contract() const { return contract_; }
  const std::string& data_digest() const { return data_digest_; }
  const std::filesystem::path& path() const { return path_; }
  bool is_mapped() const { return read_.empty(); }

  // All keys, read from the file at each call: for messages and lists of candidates. Not from several threads at once.
  std::vector<std::string> keys() const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::vector<float> read_;  // where the matrix cannot be mapped
  std::span<const float> embeddings_;
  std::vector<std::uint8_t> failed_;
  std::int64_t dimension_ = 0;
  ModelContract contract_;
  std::string data_digest_;
};

}  // namespace likeness
