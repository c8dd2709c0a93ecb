#include "core/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/config_tree.h"
#include "core/error.h"
#include "core/file.h"

namespace likeness {

namespace fs = std::filesystem;

struct Config::State {
  std::string name;
  ConfigTree tree;
  std::map<std::string, std::string> asked;  // key -> its resolved value as YAML
};

namespace {

ConfigTree load_tree(const fs::path& path, std::vector<fs::path> including);

// What a document includes, merged in order, with the document itself on top.
ConfigTree with_includes(ConfigTree tree, const fs::path& folder, const std::vector<fs::path>& including) {
  const auto found = tree.values.find("include");
  if (found == tree.values.end()) return tree;
  const ConfigValue include = found->second;
  if (include.kind == ConfigValue::Kind::kNull) {
    fail_usage({.what = "include names no file", .where = include.place, .expected = "a file name or a list of them"});
  }
  tree.values.erase(found);
  ConfigTree merged;
  for (const std::string& file : include.items) {
    std::error_code error;
    const fs::path path = folder / file;
    if (!fs::is_regular_file(path, error)) {
      fail_usage({.what = "included file not found",
                  .where = include.place,
                  .expected = "a path relative to this file",
                  .got = file});
    }
    if (std::find(including.begin(), including.end(), fs::canonical(path)) != including.end()) {
      fail_usage({.what = "files include one another in a circle", .where = include.place, .got = file});
    }
    merged.overlay(load_tree(path, including));
  }
  merged.overlay(tree);
  return merged;
}

ConfigTree load_tree(const fs::path& path, std::vector<fs::path> including) {
  including.push_back(fs::canonical(path));
  return with_includes(parse_config_tree(read_text(path), path.string(), true, ""), path.parent_path(), including);
}

void assign(ConfigTree& tree, const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    const std::string key = assignment.substr(0, equals);
    if (equals == std::string::npos || key.empty()) {
      fail_usage({.what = "assignment is malformed",
                  .where = "--set",
                  .expected = "key=value, e.g. optimizer.lr=0.1",
                  .got = "\"" + assignment + "\""});
    }
    const std::string value = assignment.substr(equals + 1);
    tree.overlay(parse_config_tree(value.empty() ? "''" : value, "--set " + assignment, false, key));
  }
}

// As is where YAML reads the same text back, else quoted as in JSON, which YAML understands.
std::string yaml_text(const std::string& text) {
  const auto harmless = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/'; };
  const bool null = text == "null" || text == "Null" || text == "NULL";
  const bool plain = !text.empty() && !null && std::isalpha(static_cast<unsigned char>(text[0])) &&
                     std::all_of(text.begin(), text.end(), harmless);
  return plain ? text : nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string describe(const ConfigValue& value) {
  switch (value.kind) {
    case ConfigValue::Kind::kNull:
      return "nothing";
    case ConfigValue::Kind::kList:
      return fmt::format("a list of {}", value.items.size());
    case ConfigValue::Kind::kQuoted:
      return "the text \"" + value.items[0] + "\"";
    default:
      return value.items[0];
  }
}

template <class T>
bool parse_whole(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Config Config::load(const fs::path& path, const std::vector<std::string>& assignments) {
  std::error_code error;
  if (!fs::exists(path, error)) fail_usage({.what = "configuration file not found", .where = path.string()});
  auto state = std::make_shared<State>();
  state->name = path.string();
  state->tree = load_tree(path, {});
  assign(state->tree, assignments);
  return Config(state);
}

Config Config::parse(const std::string& yaml, const std::string& name, const std::vector<std::string>& assignments) {
  auto state = std::make_shared<State>();
  state->name = name;
  state->tree = with_includes(parse_config_tree(yaml, name, true, ""), ".", {});
  assign(state->tree, assignments);
  return Config(state);
}

// The value of `key`; nullptr where the file does not have it. kUsage for a section.
static const ConfigValue* find(const Config& config, const ConfigTree& tree, const std::string& key,
                               const std::string& expected) {
  const auto value = tree.values.find(key);
  if (value != tree.values.end()) return &value->second;
  if (tree.sections.count(key) > 0) config.fail(key, expected, "a section");
  return nullptr;
}

// The one text of `key`, which may be quoted where `expected` is a text.
static const std::string* find_text(const Config& config, const ConfigTree& tree, const std::string& key,
                                    const std::string& expected, bool quoted = false) {
  const ConfigValue* value = find(config, tree, key, expected);
  if (value == nullptr) return nullptr;
  using enum ConfigValue::Kind;
  if (value->kind != kPlain && !(quoted && value->kind == kQuoted)) config.fail(key, expected, describe(*value));
  return &value->items[0];
}

bool Config::get_bool(const std::string& key, bool fallback) {
  const std::string* text = find_text(*this, state_->tree, key, "true or false");
  if (text != nullptr && *text != "true" && *text != "false") fail(key, "true or false", *text);
  const bool value = text == nullptr ? fallback : *text == "true";
  state_->asked[key] = value ? "true" : "false";
  return value;
}

std::int64_t Config::get_int(const std::string& key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  const bool open_high = high == std::numeric_limits<std::int64_t>::max();
  const bool open_low = low == std::numeric_limits<std::int64_t>::min();
  const std::string expected = open_low && open_high ? "a whole number"
                               : open_high           ? fmt::format("a whole number, {} or more", low)
                               : open_low            ? fmt::format("a whole number, {} or less", high)
                                                     : fmt::format("a whole number from {} to {}", low, high);
  std::int64_t value = fallback;
  if (const std::string* text = find_text(*this, state_->tree, key, expected)) {
    if (!parse_whole(*text, value) || value < low || value > high) fail(key, expected, *text);
  }
  state_->asked[key] = std::to_string(value);
  return value;
}

double Config::get_double(const std::string& key, double fallback, double low, double high) {
  const std::string expected = low <= -1e300 && high >= 1e300 ? "a number"
                               : high >= 1e300                ? fmt::format("a number, {} or more", low)
                               : low <= -1e300                ? fmt::format("a number, {} or less", high)
                                                              : fmt::format("a number from {} to {}", low, high);
  double value = fallback;
  if (const std::string* text = find_text(*this, state_->tree, key, expected)) {
    if (!parse_whole(*text, value) || !(value >= low && value <= high)) fail(key, expected, *text);
  }
  state_->asked[key] = fmt::format("{}", value);
  return value;
}

std::string Config::get_string(const std::string& key, const std::string& fallback) {
  const std::string* text = find_text(*this, state_->tree, key, "a text", true);
  const std::string value = text == nullptr ? fallback : *text;
  state_->asked[key] = yaml_text(value);
  return value;
}

std::string Config::get_choice(const std::string& key, const std::string& fallback,
                               const std::vector<std::string>& choices) {
  const std::string value = get_string(key, fallback);
  if (has(key) && std::find(choices.begin(), choices.end(), value) == choices.end()) {
    const std::string guess = nearest(value, choices);
    fail(key, fmt::format("one of {}", fmt::join(choices, ", ")),
         value + (guess.empty() ? "" : " (did you mean " + guess + "?)"));
  }
  return value;
}

std::vector<double> Config::get_doubles(const std::string& key, const std::vector<double>& fallback) {
  std::vector<double> numbers = fallback;
  if (const ConfigValue* value = find(*this, state_->tree, key, "a list of numbers")) {
    if (value->kind != ConfigValue::Kind::kList && value->kind != ConfigValue::Kind::kPlain) {
      fail(key, "a list of numbers", describe(*value));
    }
    numbers.clear();
    for (const std::string& item : value->items) {
      if (!parse_whole(item, numbers.emplace_back()) || !std::isfinite(numbers.back()))
        fail(key, "a list of numbers", item);
    }
  }
  state_->asked[key] = fmt::format("[{}]", fmt::join(numbers, ", "));
  return numbers;
}

std::vector<std::string> Config::get_strings(const std::string& key, const std::vector<std::string>& fallback) {
  const ConfigValue* value = find(*this, state_->tree, key, "a list of texts");
  if (value != nullptr && value->kind == ConfigValue::Kind::kNull) fail(key, "a list of texts", describe(*value));
  const std::vector<std::string> texts = value == nullptr ? fallback : value->items;
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(yaml_text(text));
  state_->asked[key] = fmt::format("[{}]", fmt::join(quoted, ", "));
  return texts;
}

double Config::get_duration(const std::string& key, double fallback_seconds) {
  const std::string* text = find_text(*this, state_->tree, key, "a duration: 90s, 5m, 2h");
  const double value = text == nullptr ? fallback_seconds : parse_duration(*text, where(key));
  state_->asked[key] = fmt::format("{}", value);
  return value;
}

std::int64_t Config::get_size(const std::string& key, std::int64_t fallback) {
  const std::string* text = find_text(*this, state_->tree, key, "a size: 500, 64K, 2M");
  const std::int64_t value = text == nullptr ? fallback : parse_size(*text, where(key));
  state_->asked[key] = std::to_string(value);
  return value;
}

bool Config::has(const std::string& key) const { return state_->tree.values.count(key) > 0; }

std::vector<std::string> Config::sections(const std::string& key) const {
  std::vector<std::string> names;
  for (auto it = state_->tree.sections.upper_bound(key + "."); it != state_->tree.sections.end() && it->first.starts_with(key + "."); ++it) {
    const std::string name = it->first.substr(key.size() + 1);
    if (name.find('.') == std::string::npos) names.push_back(name);
  }
  return names;
}

std::string Config::where(const std::string& key) const {
  const auto value = state_->tree.values.find(key);
  if (value != state_->tree.values.end()) return value->second.place + ": " + key;
  const auto section = state_->tree.sections.find(key);
  return (section == state_->tree.sections.end() ? state_->name : section->second) + ": " + key;
}

void Config::fail(const std::string& key, const std::string& expected, const std::string& got) const {
  fail_usage({.what = "configuration value is not usable", .where = where(key), .expected = expected, .got = got});
}

void Config::refuse_unknown() const {
  std::vector<std::string> known;
  for (const auto& [key, unused] : state_->asked) known.push_back(key);
  const auto tail = [](const std::string& key) { return key.substr(key.rfind('.') + 1); };
  for (const auto& [key, value] : state_->tree.values) {
    if (state_->asked.count(key) > 0) continue;
    const auto below = state_->asked.lower_bound(key + ".");
    const bool is_section = below != state_->asked.end() && below->first.starts_with(key + ".");
    if (is_section && value.kind == ConfigValue::Kind::kNull) continue;  // a section with every line commented out
    std::string guess = nearest(key, known);
    for (const std::string& candidate : known) {  // the right name in the wrong section
      if (guess.empty() && tail(candidate) == tail(key)) guess = candidate;
    }
    fail_usage({.what = "unknown configuration key",
                .where = where(key),
                .hint = guess.empty() ? "" : "did you mean " + guess + "?"});
  }
}

std::string Config::resolved() const {
  std::string yaml;
  std::vector<std::string> open;  // the sections that the last line stands in
  for (const auto& [key, value] : state_->asked) {
    std::vector<std::string> path;
    for (std::size_t begin = 0, dot; begin <= key.size(); begin = dot + 1) {
      dot = std::min(key.find('.', begin), key.size());
      path.push_back(key.substr(begin, dot - begin));
    }
    std::size_t depth = 0;
    while (depth < open.size() && depth + 1 < path.size() && open[depth] == path[depth]) ++depth;
    open.resize(depth);
    for (; depth + 1 < path.size(); ++depth) {
      yaml += std::string(2 * depth, ' ') + path[depth] + ":\n";
      open.push_back(path[depth]);
    }
    yaml += std::string(2 * depth, ' ') + path.back() + ": " + value + "\n";
  }
  return yaml;
}

}  // namespace likeness
