// Demographic and other attributes of pictures or identities: coded columns with their category names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace likeness {

// One attribute of N pictures. A value may be several categories at once ("black+asian"), coded as a bit set over
// `categories`; 0 = unknown, which is a value of its own and never guessed.
struct AttributeColumn {
  std::string name;                     // "gender"
  std::vector<std::string> categories;  // at most 64
  std::vector<std::uint64_t> codes;     // [N] bit k = categories[k]

  // Adds a category if it is new; the bit of it.
  std::uint64_t code_of(const std::string& category);
  // "female", "asian+black", or "" for unknown.
  std::string text(std::size_t row) const;
};

struct AttributeTable {
  std::vector<AttributeColumn> columns;
  const AttributeColumn* find(const std::string& name) const;
  AttributeColumn& column(const std::string& name, std::size_t rows);  // finds or adds, padded with unknown
};

}  // namespace likeness
