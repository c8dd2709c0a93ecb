// Code shown in the documentation.
#pragma once

#include <string>

#include "core/file.h"
#include "tests/support/paths.h"

namespace likeness::test {

// The first block fenced by ```cpp of docs/<page>; empty if there is none.
inline std::string code_shown(const std::string& page) {
  const std::string markdown = read_text(source_dir() / "docs" / page), fence = "```cpp\n";
  const std::size_t begin = markdown.find(fence);
  if (begin == std::string::npos) return {};
  return markdown.substr(begin + fence.size(), markdown.find("```", begin + fence.size()) - begin - fence.size());
}

// Whether the file holds the page's code, letter by letter.
inline bool is_compiled_in(const std::string& page, const std::string& file) {
  const std::string code = code_shown(page);
  return code.size() > 500 && read_text(source_dir() / file).find(code) != std::string::npos;
}

}  // namespace likeness::test
