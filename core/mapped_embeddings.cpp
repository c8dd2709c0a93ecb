#include "core/mapped_embeddings.h"

#include "core/archive_columns.h"
#include "core/hdf5_internal.h"

namespace likeness {

MappedEmbeddings::MappedEmbeddings(const std::filesystem::path& path) : path_(path) {
  const h5::File file = h5::File::open(path);
  check_format(file, kEmbeddingsFormat, kEmbeddingsVersion);
  contract_ = ModelContract::from_json(file.text_attribute("contract"), path.string() + ", contract");
  data_digest_ = file.text_attribute("data_digest");
  const auto shape = file.shape("embeddings");
  if (shape.size() != 2 || shape[1] == 0)
    refuse_column(file, "embeddings", "a matrix [N,D]", "rank " + std::to_string(shape.size()));
  dimension_ = static_cast<std::int64_t>(shape[1]);
  failed_ = read_column<std::uint8_t>(file, "failed", static_cast<std::size_t>(shape[0]));
  if (const auto offset = h5::float_offset(file, "embeddings")) {
    file_ = MappedFile(path);
    const std::size_t count = failed_.size() * static_cast<std::size_t>(dimension_);
    embeddings_ = {reinterpret_cast<const float*>(file_.bytes().data() + *offset), count};
  } else {
    read_ = file.read<float>("embeddings");
    embeddings_ = read_;
  }
}

std::vector<std::string> MappedEmbeddings::keys() const {
  const h5::File file = h5::File::open(path_);
  std::vector<std::string> keys = file.read_strings("key");
  if (keys.size() != failed_.size())
    refuse_column(file, "key", std::to_string(failed_.size()) + " keys", std::to_string(keys.size()));
  return keys;
}

}  // namespace likeness
