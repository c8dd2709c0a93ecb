#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/config.h"
#include "core/error.h"

namespace likeness {
namespace {

// "1.5M" -> 1.5 and 'M'; nothing when it does not start with a finite number or more than one letter follows.
std::optional<std::pair<double, char>> number_and_unit(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto rest = text.data() + text.size() - end;
  if (error != std::errc() || !std::isfinite(value) || value < 0 || rest > 1) return std::nullopt;
  return std::pair{value, rest == 1 ? *end : '\0'};
}

}  // namespace

std::int64_t parse_size(const std::string& text, const std::string& where) {
  if (const auto parsed = number_and_unit(text)) {
    const auto [value, unit] = *parsed;
    const double factor = unit == '\0' ? 1 : unit == 'K' ? 1e3 : unit == 'M' ? 1e6 : unit == 'G' ? 1e9 : 0;
    const double size = value * factor;
    if (factor > 0 && size < 9.2e18 && std::abs(size - std::round(size)) < 1e-6) return std::llround(size);
  }
  fail_usage({.what = "not a size",
              .where = where,
              .expected = "a whole number, or one with K, M or G: 64M",
              .got = "\"" + text + "\""});
}

double parse_duration(const std::string& text, const std::string& where) {
  if (const auto parsed = number_and_unit(text)) {
    const auto [value, unit] = *parsed;
    const double factor = unit == '\0' || unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
    if (factor > 0) return value * factor;
  }
  fail_usage({.what = "not a duration",
              .where = where,
              .expected = "seconds, or a number with s, m or h: 90s",
              .got = "\"" + text + "\""});
}

// Optimal string alignment (Damerau): a swap of neighbours, the commonest typo, counts as one edit.
static std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(previous, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = previous[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, substituted});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  // One edit in three letters is a typo; more is another word.
  std::size_t limit = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < limit && distance < std::max(word.size(), candidate.size())) {
      limit = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace likeness
