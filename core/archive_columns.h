// Inside core: what embedding and score archives store alike.
#pragma once

#include <string>

#include "core/attributes.h"
#include "core/hdf5.h"

namespace likeness {

// *.emb.h5, whether it is read or mapped.
inline constexpr const char* kEmbeddingsFormat = "likeness.embeddings";
inline constexpr std::int64_t kEmbeddingsVersion = 1;

// "format" and "format_version" of the root group.
void write_format(h5::File& file, const std::string& format, std::int64_t version);
// kData naming the file: of another format, or of a later version.
void check_format(const h5::File& file, const std::string& format, std::int64_t version);

// attribute_names, attributes/NAME/code u64[rows] (bit k = category k, 0 = unknown), attributes/NAME/category: the layout of
// *.faces.h5. Reading refuses other lengths and unknown bits with kData.
void write_attributes(h5::File& file, const AttributeTable& table, std::size_t rows);
AttributeTable read_attributes(const h5::File& file, std::size_t rows);

// A column of exactly `rows` values, or kData naming file and dataset.
template <class T> std::vector<T> read_column(const h5::File& file, const std::string& name, std::size_t rows);
[[noreturn]] void refuse_column(const h5::File& file, const std::string& name, const std::string& expected, const std::string& got);

template <class T> std::vector<T> read_column(const h5::File& file, const std::string& name, std::size_t rows) {
  std::vector<T> values = file.read<T>(name);
  if (values.size() != rows) refuse_column(file, name, std::to_string(rows) + " values", std::to_string(values.size()));
  return values;
}

}  // namespace likeness
