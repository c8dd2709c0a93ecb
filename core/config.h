// Strict YAML: every key is read once, by type and range; what is left over is an error that names the nearest valid key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace likeness {

// A parsed configuration file, with `include: FILE` (relative to the file that says it) merged below it and
// `--set a.b=value` assignments above it. Not thread-safe; configuration is read once, at start.
class Config {
 public:
  static Config load(const std::filesystem::path& path, const std::vector<std::string>& assignments = {});
  static Config parse(const std::string& yaml, const std::string& name, const std::vector<std::string>& assignments = {});

  // Typed getters. `key` may be dotted. A missing key gives `fallback`; a value of another type or out of range is kUsage
  // naming file, line and key. Sizes accept K, M, G (1000s); durations accept s, m, h and give seconds.
  bool get_bool(const std::string& key, bool fallback);
  std::int64_t get_int(const std::string& key, std::int64_t fallback,
                       std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t high = std::numeric_limits<std::int64_t>::max());
  double get_double(const std::string& key, double fallback, double low = -1e300, double high = 1e300);
  std::string get_string(const std::string& key, const std::string& fallback);
  // One of `choices`, or kUsage that lists them.
  std::string get_choice(const std::string& key, const std::string& fallback, const std::vector<std::string>& choices);
  std::vector<double> get_doubles(const std::string& key, const std::vector<double>& fallback);
  std::vector<std::string> get_strings(const std::string& key, const std::vector<std::string>& fallback);
  double get_duration(const std::string& key, double fallback_seconds);
  std::int64_t get_size(const std::string& key, std::int64_t fallback);
  bool has(const std::string& key) const;
  // Names of the sections that stand directly below `key`, sorted: for sections whose names the user chooses. A name with a dot
  // is none; its keys are then unknown.
  std::vector<std::string> sections(const std::string& key) const;

  // The value's place, "celeba.yaml:12: optimizer.lr", for errors raised by the caller.
  std::string where(const std::string& key) const;
  [[noreturn]] void fail(const std::string& key, const std::string& expected, const std::string& got) const;

  // kUsage for the first key that no getter has asked for, with its line and the nearest key that was asked for.
  void refuse_unknown() const;

  // Every key that was asked for with the value it got (defaults included), as YAML that load() reads back equal.
  std::string resolved() const;

 private:
  struct State;
  explicit Config(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// "64M" -> 64,000,000; "90s", "5m", "2h" -> seconds. kUsage naming `where`.
std::int64_t parse_size(const std::string& text, const std::string& where);
double parse_duration(const std::string& text, const std::string& where);

// The candidate with the smallest edit distance, if it is close enough to be a typo; else "".
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace likeness
