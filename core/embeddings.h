// *.emb.h5: embeddings with everything needed to recompute every metric without a picture (docs/formats/embeddings.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "core/file.h"
#include "core/preprocess.h"

namespace likeness {

struct EmbeddingArchive {
  ModelContract contract;
  std::int64_t dimension = 0;            // D
  std::vector<float> embeddings;         // [N,D] raw: not normalised; the row of a failed picture is zero
  std::vector<float> norms;              // [N] length of the raw embedding; for flip "sum", mean of both passes
  std::vector<std::uint8_t> failed;      // [N] 1: no face could be had from this picture (failure to acquire)
  std::vector<std::string> keys;         // [N] what names the picture: its path or record key
  std::vector<std::int64_t> subjects;    // [N] index into subject_names
  std::vector<std::string> subject_names;
  std::vector<std::int64_t> media;       // [N] media id for template protocols; empty where unknown
  std::vector<std::int64_t> templates;   // [N] template id; empty where unknown
  AttributeTable attributes;             // per picture
  std::string data_digest;               // of the pictures that were embedded

  std::size_t size() const { return keys.size(); }
  void save(const std::filesystem::path& path, IfExists if_exists) const;
  static EmbeddingArchive load(const std::filesystem::path& path);
};

}  // namespace likeness
