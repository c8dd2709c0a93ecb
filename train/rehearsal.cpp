#include "train/rehearsal.h"

#include <filesystem>
#include <optional>
#include <sstream>

#include "core/error.h"

namespace likeness::train {

namespace fs = std::filesystem;

namespace {

// Cuts " word REST" off the end of `text`; what stands behind the word, or nothing where it is not there.
std::optional<std::string> cut_off(std::string* text, const std::string& word, const std::string& entry) {
  const std::size_t at = text->rfind(" " + word + " ");
  if (at == std::string::npos) return std::nullopt;
  std::string rest = text->substr(at + word.size() + 2);
  text->resize(at);
  if (rest.empty() || text->empty())
    fail_usage({.what = "entry cannot be understood",
                .where = "validate: " + entry,
                .expected = "something before and behind \"" + word + "\"",
                .got = "nothing"});
  return rest;
}

}  // namespace

ValidationEntry parse_validation_entry(const std::string& entry) {
  ValidationEntry e;
  std::string rest = entry;
  if (const auto against = cut_off(&rest, "against", entry)) e.against = *against;
  const auto at = cut_off(&rest, "at", entry), by = cut_off(&rest, "by", entry);
  if ((at && !by) || (by && !e.against.empty()))
    fail_usage({.what = "entry cannot be understood",
                .where = "validate: " + entry,
                .expected = "SET[=PAIRS] by ATTRIBUTE,… [at POINT], or SET[=PAIRS] against MODEL",
                .got = at && !by ? "\"at\" without \"by\"" : "both of them"});
  if (at) e.at = *at;
  std::istringstream names(by.value_or(""));
  for (std::string name; std::getline(names, name, ',');) e.by.push_back(name);
  const std::size_t cut = rest.find('=');
  e.set = rest.substr(0, cut);
  if (cut != std::string::npos) e.pairs = rest.substr(cut + 1);
  return e;
}

std::string set_name(const std::string& path) {
  fs::path set = fs::path(path).filename();
  for (const char* extension : {".h5", ".faces", ".bin", ".rec"})
    if (set.extension() == extension) set = set.stem();
  return set.string();
}

std::string entry_name(const std::string& entry) {
  const ValidationEntry e = parse_validation_entry(entry);
  std::string name = set_name(e.set);
  if (!e.pairs.empty()) name.append("=").append(fs::path(e.pairs).stem().string());
  for (const std::string& attribute : e.by) name.append(&attribute == &e.by.front() ? " by " : ",").append(attribute);
  if (!e.against.empty()) name.append(" against ").append(fs::path(e.against).stem().string());
  return name;
}

std::vector<float> NoiseEngine::run(const std::vector<float>&, std::int64_t n) {
  std::vector<float> out(static_cast<std::size_t>(n * contract_.dimension));
  Rng rng(0, Purpose::kTest, 0, calls_++);
  for (float& value : out) value = static_cast<float>(rng.normal());
  return out;
}

}  // namespace likeness::train
