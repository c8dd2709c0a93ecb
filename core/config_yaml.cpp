#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "core/config_tree.h"
#include "core/error.h"

namespace likeness {
namespace {

// Builds the tree from parser events: yaml-cpp's own nodes silently merge duplicate keys.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& place, bool numbered, const std::string& prefix)
      : place_(place), numbered_(numbered), prefix_(prefix) {}

  ConfigTree tree;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add_plain(mark, anchor, ConfigValue::Kind::kNull, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail_at(mark, "alias", "plain values; aliases are not supported");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    if (!plain && tag != "!") fail_at(mark, "tag " + tag, "values without tags");
    const bool null = plain && (value == "~" || value == "null" || value == "Null" || value == "NULL");
    using enum ConfigValue::Kind;
    add_plain(mark, anchor, null ? kNull : plain ? kPlain : kQuoted, value);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    if (in_list_) fail_at(mark, "a list in a list", "a list of plain values");
    list_key_ = take_key(mark, "a list");
    list_ = {ConfigValue::Kind::kList, {}, place_of(mark)};
    in_list_ = true;
  }
  void OnSequenceEnd() override {
    in_list_ = false;
    tree.values[list_key_] = list_;
  }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_anchor(mark, anchor);
    if (in_list_) fail_at(mark, "a section in a list", "a list of plain values");
    const std::string section = open_.empty() ? prefix_ : take_key(mark, "a section");
    if (!section.empty()) tree.sections.emplace(section, place_of(mark));
    open_.push_back({section, "", false});
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct OpenMap {
    std::string section, key;
    bool has_key;
  };

  std::string place_of(const YAML::Mark& mark) const {
    return numbered_ ? place_ + ":" + std::to_string(mark.line + 1) : place_;
  }
  [[noreturn]] void fail_at(const YAML::Mark& mark, const std::string& got, const std::string& expected) const {
    fail_usage({.what = "configuration is malformed", .where = place_of(mark), .expected = expected, .got = got});
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail_at(mark, "an anchor", "plain values; anchors are not supported");
  }

  // The full key that the value which starts here belongs to.
  std::string take_key(const YAML::Mark& mark, const char* got) {
    if (open_.empty()) {
      if (prefix_.empty()) fail_at(mark, got, "\"key: value\" lines");
      return prefix_;
    }
    OpenMap& map = open_.back();
    if (!map.has_key) fail_at(mark, std::string(got) + " for a key", "a plain key");
    map.has_key = false;
    return map.section.empty() ? map.key : map.section + "." + map.key;
  }

  void add_plain(const YAML::Mark& mark, YAML::anchor_t anchor, ConfigValue::Kind kind, const std::string& value) {
    refuse_anchor(mark, anchor);
    if (in_list_) {
      if (kind == ConfigValue::Kind::kNull) fail_at(mark, "an empty item", "a list of plain values");
      list_.items.push_back(value);
    } else if (!open_.empty() && !open_.back().has_key) {
      open_key(mark, value);
    } else if (std::string key = take_key(mark, "a plain value"); !key.empty()) {
      tree.values[key] = {kind, {value}, place_of(mark)};
    }
  }

  void open_key(const YAML::Mark& mark, const std::string& key) {
    if (key.empty()) fail_at(mark, "an empty key", "\"key: value\" lines");
    OpenMap& map = open_.back();
    map.key = key;
    map.has_key = true;
    const std::string full = map.section.empty() ? key : map.section + "." + key;
    if (const auto [first, fresh] = keys_.emplace(full, place_of(mark)); !fresh) {
      fail_usage({.what = "key is given twice",
                  .where = place_of(mark) + ": " + full,
                  .got = "the first one at " + first->second});
    }
  }

  std::string place_;
  bool numbered_;
  std::string prefix_;
  std::vector<OpenMap> open_;
  std::map<std::string, std::string> keys_;  // every key seen, with its place
  bool in_list_ = false;
  std::string list_key_;
  ConfigValue list_;
};

// A plain value where a section is meant, or the other way round. An empty value ("optimizer:") is an empty section.
void refuse_conflicts(const ConfigTree& tree) {
  for (const auto& [key, value] : tree.values) {
    for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
      const auto parent = tree.values.find(key.substr(0, dot));
      if (parent == tree.values.end() || parent->second.kind == ConfigValue::Kind::kNull) continue;
      fail_usage({.what = "key is both a value and a section",
                  .where = value.place + ": " + key,
                  .got = "a value for " + parent->first + " at " + parent->second.place});
    }
    const auto section = tree.sections.find(key);
    if (section != tree.sections.end() && value.kind != ConfigValue::Kind::kNull) {
      fail_usage({.what = "key is both a value and a section",
                  .where = value.place + ": " + key,
                  .got = "a section at " + section->second});
    }
  }
}

}  // namespace

void ConfigTree::overlay(const ConfigTree& other) {
  for (const auto& [key, value] : other.values) values[key] = value;
  for (const auto& [key, place] : other.sections) sections[key] = place;
  refuse_conflicts(*this);
}

ConfigTree parse_config_tree(const std::string& yaml, const std::string& place, bool numbered,
                             const std::string& prefix) {
  TreeBuilder builder(place, numbered, prefix);
  try {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    ConfigTree second_tree;
    if (TreeBuilder second(place, numbered, prefix); parser.HandleNextDocument(second)) {
      fail_usage(
          {.what = "configuration is malformed", .where = place, .expected = "one YAML document", .got = "several"});
    }
  } catch (const YAML::Exception& e) {
    const std::string line = numbered && !e.mark.is_null() ? ":" + std::to_string(e.mark.line + 1) : "";
    fail_usage({.what = "not valid YAML", .where = place + line, .got = e.msg});
  }
  refuse_conflicts(builder.tree);
  return std::move(builder.tree);
}

}  // namespace likeness
