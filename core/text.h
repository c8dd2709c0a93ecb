// Lists of words in messages.
#pragma once

#include <string>
#include <vector>

namespace likeness {

// "a, b, c"; "" for none.
inline std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace likeness
