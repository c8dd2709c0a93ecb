// Inside core: a YAML document flattened to dotted keys, with the place of each value.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace likeness {

// A plain value, or a list of plain values, as written.
struct ConfigValue {
  enum class Kind { kPlain, kQuoted, kNull, kList };
  Kind kind = Kind::kNull;
  std::vector<std::string> items;  // one for a plain or quoted value
  std::string place;               // "celeba.yaml:12" or "--set"
};

struct ConfigTree {
  std::map<std::string, ConfigValue> values;    // "optimizer.lr"
  std::map<std::string, std::string> sections;  // "optimizer" -> its place

  // The values of `other` replace those here. kUsage where one says a value and the other a section.
  void overlay(const ConfigTree& other);
};

// Parses one document. Keys stand below `prefix` ("" for a file; "a.b" for `--set a.b=…`, whose text may be a plain
// value). `place` names the source; line numbers are added when `numbered`. kUsage for malformed YAML, duplicate keys,
// anchors, lists of anything but plain values.
ConfigTree parse_config_tree(const std::string& yaml, const std::string& place, bool numbered,
                             const std::string& prefix);

}  // namespace likeness
