#include "train/further_options.h"

#include <array>
#include <charconv>
#include <optional>

namespace likeness::train {
namespace {

constexpr const char* kKey = "also";

// All of `text` as a number.
template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<FurtherSetOptions> read_further_sets(Config& config) {
  std::vector<FurtherSetOptions> sets;
  for (const std::string& entry : config.get_strings(kKey, {})) {
    // From the right: a path may hold either sign.
    const std::size_t cut = entry.rfind('=');
    const std::string_view tail = cut == std::string::npos ? "" : std::string_view(entry).substr(cut + 1);
    const std::size_t times = tail.find('*');
    const auto batch = number<std::int64_t>(tail.substr(0, times));
    const auto weight = times == std::string_view::npos ? 1.0 : number<double>(tail.substr(times + 1));
    if (cut == 0 || !batch || *batch < 2 || *batch > 1 << 20 || !weight || !(*weight > 0 && *weight <= 1e6))
      config.fail(
          kKey, "FILE=PICTURES or FILE=PICTURES*WEIGHT, as \"b.faces.h5=32*0.5\": 2 pictures or more, a weight above 0",
          entry);
    sets.push_back({.data = entry.substr(0, cut), .batch = *batch, .weight = *weight});
  }
  return sets;
}

std::string text_of(const std::vector<FurtherSetOptions>& sets) {
  std::string text;
  for (const FurtherSetOptions& s : sets) {
    std::array<char, 40> weight;
    char* const end = std::to_chars(weight.data(), weight.data() + weight.size(), s.weight).ptr;
    text += s.digest + "=" + std::to_string(s.batch) + "*" +
            std::string(weight.data(), static_cast<std::size_t>(end - weight.data())) + " ";
  }
  return text;
}

}  // namespace likeness::train
