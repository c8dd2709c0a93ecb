#include "core/archive_columns.h"

#include "core/error.h"

namespace likeness {

void write_format(h5::File& file, const std::string& format, std::int64_t version) {
  file.set_attribute("format", format);
  file.set_attribute("format_version", version);
}

void check_format(const h5::File& file, const std::string& format, std::int64_t version) {
  const std::string got = file.has_attribute("format") ? file.text_attribute("format") : "no format attribute";
  if (got != format) fail_data({"a file of another kind", file.path().string(), "an HDF5 file with format \"" + format + "\"", got, ""});
  const std::int64_t stored = file.int_attribute("format_version");
  if (stored < 1 || stored > version)
    fail_data({"a file of a version this program does not know", file.path().string(), "1 to " + std::to_string(version),
               std::to_string(stored), "a newer likeness wrote it; update"});
}

void refuse_column(const h5::File& file, const std::string& name, const std::string& expected, const std::string& got) {
  fail_data({"an archive is damaged", file.path().string() + ": " + name, expected, got, ""});
}

void write_attributes(h5::File& file, const AttributeTable& table, std::size_t rows) {
  std::vector<std::string> names;
  for (const AttributeColumn& column : table.columns) {
    LIKENESS_ASSERT(column.codes.size() == rows);
    names.push_back(column.name);
    file.write("attributes/" + column.name + "/code", column.codes);
    file.write_strings("attributes/" + column.name + "/category", column.categories);
  }
  if (!names.empty()) file.write_strings("attribute_names", names);
}

AttributeTable read_attributes(const h5::File& file, std::size_t rows) {
  AttributeTable table;
  if (!file.has("attribute_names")) return table;
  for (const std::string& name : file.read_strings("attribute_names")) {
    const std::string group = "attributes/" + name;
    AttributeColumn column{name, file.read_strings(group + "/category"), read_column<std::uint64_t>(file, group + "/code", rows)};
    const std::size_t bits = column.categories.size();
    if (bits > 64) refuse_column(file, group + "/category", "at most 64 categories", std::to_string(bits));
    const std::uint64_t known = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
    for (std::uint64_t code : column.codes)
      if (code & ~known) refuse_column(file, group + "/code", "codes of the " + std::to_string(bits) + " categories", std::to_string(code));
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace likeness
