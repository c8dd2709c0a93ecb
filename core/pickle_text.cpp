// Strings as protocol 0 writes them: one line, with escapes.
#include <charconv>
#include <cstring>

#include "core/pickle_value.h"

namespace likeness::pickle {
namespace {

unsigned hexadecimal(const std::string& text, std::size_t at, std::size_t digits, const Site& site) {
  if (at + digits > text.size()) refuse(site.where, site.at, "an escape in a string is cut off");
  unsigned value = 0;
  const char* end = text.data() + at + digits;
  if (std::from_chars(text.data() + at, end, value, 16).ptr != end)
    refuse(site.where, site.at, "an escape in a string is damaged");
  return value;
}

void append_utf8(std::string& out, unsigned c) {
  auto more = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6), more(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12), more(6), more(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18), more(12), more(6), more(0);
  }
}

}  // namespace

std::vector<std::byte> unquote(const std::string& text, const Site& site) {
  if (text.size() < 2 || text.front() != text.back() || (text.front() != '\'' && text.front() != '"'))
    refuse(site.where, site.at, "a string lacks its quotes");
  constexpr const char* kEscapes = "nrt\\'\"";
  constexpr const char* kMeanings = "\n\r\t\\'\"";
  const std::size_t last = text.size() - 1;
  std::vector<std::byte> bytes;
  bytes.reserve(last);
  for (std::size_t i = 1; i < last; ++i) {
    unsigned c = static_cast<unsigned char>(text[i]);
    if (c == '\\') {
      if (++i == last) refuse(site.where, site.at, "an escape in a string is cut off");
      const char* known = text[i] != '\0' ? std::strchr(kEscapes, text[i]) : nullptr;
      if (known) {
        c = static_cast<unsigned char>(kMeanings[known - kEscapes]);
      } else if (text[i] == 'x' && i + 2 < last) {
        c = hexadecimal(text, i + 1, 2, site);
        i += 2;
      } else {
        refuse(site.where, site.at, "unknown escape in a string");
      }
    }
    bytes.push_back(std::byte(c));
  }
  return bytes;
}

std::string unescape(const std::string& text, const Site& site) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned c = static_cast<unsigned char>(text[i]);
    if (c == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U')) {
      const std::size_t digits = text[i + 1] == 'u' ? 4 : 8;
      c = hexadecimal(text, i + 2, digits, site);
      i += 1 + digits;
    }
    if (c > 0x10ffff) refuse(site.where, site.at, "not a code point");
    append_utf8(out, c);
  }
  return out;
}

}  // namespace likeness::pickle
