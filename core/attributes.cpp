#include "core/attributes.h"

#include "core/error.h"

namespace likeness {

std::uint64_t AttributeColumn::code_of(const std::string& category) {
  std::size_t k = 0;
  while (k < categories.size() && categories[k] != category) ++k;
  if (k == categories.size()) {
    if (k == 64)
      fail_data({"an attribute has too many categories", name, "at most 64", "another one, \"" + category + "\"",
                 "attributes are categories; free text and identifiers are not"});
    categories.push_back(category);
  }
  return std::uint64_t{1} << k;
}

std::string AttributeColumn::text(std::size_t row) const {
  std::string text;
  for (std::size_t k = 0; k < categories.size(); ++k)
    if (codes.at(row) >> k & 1) text += (text.empty() ? "" : "+") + categories[k];
  return text;
}

const AttributeColumn* AttributeTable::find(const std::string& name) const {
  for (const AttributeColumn& c : columns)
    if (c.name == name) return &c;
  return nullptr;
}

AttributeColumn& AttributeTable::column(const std::string& name, std::size_t rows) {
  for (AttributeColumn& c : columns)
    if (c.name == name) {
      if (c.codes.size() < rows) c.codes.resize(rows, 0);
      return c;
    }
  columns.push_back({name, {}, std::vector<std::uint64_t>(rows, 0)});
  return columns.back();
}

}  // namespace likeness
