#include "eval/trials.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"

namespace likeness::eval {
namespace {

// Only what is surely a picture's extension: "m.0abc_0001" has none.
std::string_view without_extension(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return name;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static constexpr std::array kKnown = {"jpg", "jpeg", "png", "bmp", "webp", "ppm"};
  return std::find(kKnown.begin(), kKnown.end(), extension) != kKnown.end() ? name.substr(0, dot) : name;
}

std::string_view trimmed(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.starts_with("/")) name.remove_prefix(1);
  return name;
}

}  // namespace

void finish_trials(Trials& t, const SetIndex& set) {
  if (t.pairs.empty()) fail_data({"no pairs left", t.source, "at least one genuine and one impostor pair", "none", ""});
  const std::int64_t genuine = t.genuine();
  if (genuine == 0 || genuine == static_cast<std::int64_t>(t.pairs.size()))
    fail_data({genuine == 0 ? "no genuine pairs" : "no impostor pairs", t.source, "both classes",
               format_count(t.pairs.size()) + (genuine == 0 ? " impostor pairs" : " genuine pairs"), ""});
  Digest d;
  for (std::size_t p = 0; p < t.pairs.size(); ++p) {
    d.add(set.key(t.pairs[p].a)).add("\t").add(set.key(t.pairs[p].b)).add(t.pairs[p].genuine ? "\t1\n" : "\t0\n");
    if (!t.fold.empty()) d.add(std::to_string(t.fold[p]));
  }
  t.digest = d.hex();
}

void SetIndex::add(const std::string& key, std::int64_t subject) {
  const auto row = static_cast<std::int64_t>(keys_.size());
  keys_.push_back(key);
  subjects_.push_back(subject);
  // Every ending that starts at a folder: "images/A/A_0001", "A/A_0001", "A_0001".
  for (std::string_view rest = trimmed(without_extension(keys_.back()));;) {
    const auto [it, fresh] = rows_.emplace(rest, row);
    if (!fresh) it->second = kAmbiguous;
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
}

SetIndex SetIndex::of(const data::FaceSource& source) {
  SetIndex s;
  s.name_ = source.path().string();
  for (std::int64_t i = 0; i < source.size(); ++i) s.add(source.key(i), source.label(i));
  for (std::int64_t c = 0; c < source.identities(); ++c) s.subject_names_.push_back(source.identity_name(c));
  return s;
}

SetIndex SetIndex::of(const EmbeddingArchive& archive) {
  SetIndex s;
  s.name_ = "the archive";
  for (std::size_t i = 0; i < archive.size(); ++i) s.add(archive.keys[i], archive.subjects[i]);
  s.subject_names_ = archive.subject_names;
  return s;
}

SetIndex SetIndex::of(const std::vector<std::string>& keys, const std::vector<std::int64_t>& subjects, const std::string& name) {
  SetIndex s;
  s.name_ = name;
  for (std::size_t i = 0; i < keys.size(); ++i) s.add(keys[i], subjects[i]);
  return s;
}

std::string SetIndex::subject_name(std::int64_t subject) const {
  const auto i = static_cast<std::size_t>(subject);
  return i < subject_names_.size() ? subject_names_[i] : std::to_string(subject);
}

std::int64_t find_picture(const SetIndex& set, const std::string& name, const std::string& where) {
  const std::int64_t row = set.find(name);
  if (row == SetIndex::kMissing)
    fail_data({"a list names what is not there", where, "one of " + set.name(), name, set.size() > 0 ? "its first is " + set.key(0) : ""});
  if (row == SetIndex::kAmbiguous)
    fail_data({"a list names what is there more than once", where, "one of " + set.name(), name, "name it with its folder"});
  return row;
}

std::int64_t SetIndex::find(const std::string& name) const {
  const auto it = rows_.find(std::string(trimmed(without_extension(name))));
  return it == rows_.end() ? kMissing : it->second;
}

std::int64_t Trials::genuine() const {
  return std::count_if(pairs.begin(), pairs.end(), [](const ListedPair& p) { return p.genuine; });
}

Trials stored_trials(const data::FaceSource& source, const SetIndex& set) {
  Trials t;
  t.protocol = "stored pairs";
  t.source = source.path().string();
  for (const auto& p : source.pairs()) t.pairs.push_back({p.a, p.b, p.same});
  if (t.pairs.empty())
    fail_usage({"the set has no pairs of its own", t.source, "--pairs FILE or --trials all", "neither", "see likeness eval verify --help"});
  finish_trials(t, set);
  return t;
}

Trials all_trials(const SetIndex& set) {
  Trials t;
  t.all = true;
  t.protocol = "all pairs";
  t.source = set.name();
  std::unordered_map<std::int64_t, std::int64_t> pictures;
  Digest d;
  d.add("all pairs\n");
  for (std::int64_t i = 0; i < set.size(); ++i) {
    if (set.subject(i) < 0)
      fail_data({"a picture's identity is unknown, so its pairs have no label", set.name() + ", " + set.key(i), "a set with identities",
                 "", "compare listed pairs instead: --pairs FILE"});
    ++pictures[set.subject(i)];
    d.add(set.key(i)).add("\t").add(std::to_string(set.subject(i))).add("\n");
  }
  const bool genuine = std::any_of(pictures.begin(), pictures.end(), [](const auto& p) { return p.second > 1; });
  if (!genuine || pictures.size() < 2)
    fail_data({"no pairs left", set.name(), "two identities, and one of them with two pictures",
               format_count(pictures.size()) + " identities, " + format_count(static_cast<std::uint64_t>(set.size())) + " pictures", ""});
  t.digest = d.hex();
  return t;
}

std::vector<std::int64_t> needed_rows(const Trials& trials) {
  std::vector<std::int64_t> rows;
  for (const ListedPair& p : trials.pairs) rows.push_back(p.a), rows.push_back(p.b);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

Trials remap(const Trials& trials, const std::vector<std::int64_t>& rows) {
  Trials t = trials;
  std::unordered_map<std::int64_t, std::int64_t> at;
  for (std::size_t i = 0; i < rows.size(); ++i) at.emplace(rows[i], static_cast<std::int64_t>(i));
  for (ListedPair& p : t.pairs) p.a = at.at(p.a), p.b = at.at(p.b);
  return t;
}

}  // namespace likeness::eval
