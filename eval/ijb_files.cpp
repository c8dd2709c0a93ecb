// The lists that IJB-B and IJB-C come with: fields separated by blanks, no header, up to 15.7 million lines.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "eval/templates.h"

namespace likeness::eval {
namespace {

// Lines of exactly `fields` fields, in the mapped file.
class BlankTable {
 public:
  BlankTable(const std::filesystem::path& path, std::size_t fields, const char* expected)
      : file_(path), count_(fields), expected_(expected) {
    text_ = {reinterpret_cast<const char*>(file_.bytes().data()), file_.size()};
    file_.advise_sequential();
  }

  // The next line that is not blank, or false at the end.
  bool next() {
    while (!text_.empty()) {
      const std::string_view line = text_.substr(0, text_.find('\n'));
      text_.remove_prefix(std::min(line.size() + 1, text_.size()));
      ++line_;
      std::size_t found = 0;
      for (std::size_t at = 0; at < line.size();) {
        if (is_blank(line[at])) {
          ++at;
          continue;
        }
        std::size_t end = at;
        while (end < line.size() && !is_blank(line[end])) ++end;
        if (found < count_) fields_[found] = line.substr(at, end - at);
        ++found, at = end;
      }
      if (found == 0) continue;
      if (found != count_) refuse(line);
      return true;
    }
    return false;
  }

  std::string_view operator[](std::size_t i) const { return fields_[i]; }
  std::string where() const { return file_.path().string() + ", line " + std::to_string(line_); }
  std::size_t most_lines() const { return 1 + static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n')); }
  std::string digest() const { return xxh3_128_hex(file_.bytes()); }
  [[noreturn]] void refuse(std::string_view got) const {
    fail_data({"a line of a list cannot be read", where(), expected_, std::string(got.substr(0, 80)), ""});
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

  MappedFile file_;
  std::string_view text_;
  std::size_t count_, line_ = 0;
  const char* expected_;
  std::array<std::string_view, 12> fields_;
};

bool is_number(std::string_view s) {
  return !s.empty() && s.size() <= 18 && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t to_number(std::string_view s) {
  std::int64_t n = -1;
  std::from_chars(s.data(), s.data() + s.size(), n);
  return n;
}

// The template of a name. IJB's are whole numbers: then a table, because a hash for each of 31 million names takes
// seconds.
class TemplateNames {
 public:
  explicit TemplateNames(const TemplateList& list) {
    constexpr std::int64_t kMost = std::int64_t{1} << 24;
    std::int64_t largest = -1;
    bool dense = true;
    for (const std::string& name : list.names) {
      dense = dense && is_number(name) && to_number(name) < kMost && (name.size() == 1 || name[0] != '0');
      if (dense) largest = std::max(largest, to_number(name));
    }
    if (dense) table_.assign(static_cast<std::size_t>(largest + 1), -1);
    for (std::size_t t = 0; t < list.names.size(); ++t) {
      if (dense)
        table_[static_cast<std::size_t>(to_number(list.names[t]))] = static_cast<std::int32_t>(t);
      else
        names_.emplace(list.names[t], static_cast<std::int64_t>(t));
    }
  }
  std::int64_t find(std::string_view name, const BlankTable& table) const {
    std::int64_t at = -1;
    if (!names_.empty()) {
      const auto found = names_.find(std::string(name));
      if (found != names_.end()) at = found->second;
    } else if (is_number(name)) {
      const auto id = static_cast<std::size_t>(to_number(name));
      if (id < table_.size()) at = table_[id];
    }
    if (at < 0)
      fail_data({"a list names a template that is not there", table.where(),
                 "one of the templates that the list of pictures makes", std::string(name.substr(0, 80)), ""});
    return at;
  }

 private:
  std::vector<std::int32_t> table_;
  std::unordered_map<std::string, std::int64_t> names_;
};

}  // namespace

IjbFiles find_ijb_files(const std::filesystem::path& folder) {
  IjbFiles files;
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    paths.push_back(entry->path());
  if (error)
    fail_data({"a folder cannot be read", folder.string(), "the folder meta of IJB-B or IJB-C", error.message(), ""});
  std::sort(paths.begin(), paths.end());
  const auto take = [](std::filesystem::path& slot, const std::filesystem::path& path) {
    if (!slot.empty())
      fail_data({"two lists of one kind", path.string(), "one list in the folder", "also " + slot.string(), ""});
    slot = path;
  };
  for (const std::filesystem::path& path : paths) {
    const std::string name = path.filename().string();
    if (name.ends_with("_face_tid_mid.txt"))
      take(files.templates, path);
    else if (name.ends_with("_name_5pts_score.txt"))
      take(files.scores, path);
    else if (name.ends_with("_template_pair_label.txt"))
      take(files.pairs, path);
    else if (name.ends_with(".csv") && name.find("_1N_gallery_") != std::string::npos)
      files.galleries.push_back(path);
    else if (name.ends_with(".csv") && name.find("_1N_probe_") != std::string::npos)
      files.probes.push_back(path);
  }
  if (files.templates.empty())
    fail_data({"no list of templates", folder.string(), "a file *_face_tid_mid.txt", "",
               "name the folder meta of IJB-B or IJB-C"});
  return files;
}

TemplateList read_ijb_templates(const std::filesystem::path& path, const SetIndex& set) {
  BlankTable table(path, 3, "IMAGE TEMPLATE MEDIA, e.g. 1.jpg 850 1476");
  TemplateList list;
  list.source = path.string();
  std::unordered_map<std::int64_t, std::int64_t> templates;
  while (table.next()) {
    if (!is_number(table[1]) || !is_number(table[2]))
      table.refuse(std::string(table[0]) + " " + std::string(table[1]) + " " + std::string(table[2]));
    const std::int64_t picture = find_picture(set, std::string(table[0]), table.where());
    const auto [it, fresh] = templates.emplace(to_number(table[1]), list.size());
    if (fresh) list.names.push_back(std::to_string(it->first)), list.subjects.push_back(-1);
    list.faces.push_back({picture, it->second, to_number(table[2]), 1});
  }
  if (list.faces.empty()) fail_data({"a list of templates is empty", path.string(), "at least one picture", "", ""});
  return list;
}

void read_ijb_scores(const std::filesystem::path& path, const SetIndex& set, TemplateList& list) {
  BlankTable table(path, 12, "IMAGE, ten numbers, the detector's score");
  std::vector<double> score(static_cast<std::size_t>(set.size()), std::numeric_limits<double>::quiet_NaN());
  while (table.next()) {
    double value = 0;
    const std::string_view text = table[11];
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(value) || value < 0)
      table.refuse(text);
    // The list may name more pictures than were embedded.
    if (const std::int64_t picture = set.find(std::string(table[0])); picture >= 0)
      score[static_cast<std::size_t>(picture)] = value;
  }
  for (TemplateList::Face& f : list.faces) {
    f.weight = score[static_cast<std::size_t>(f.picture)];
    if (std::isnan(f.weight))
      fail_data({"a picture has no detector score", path.string(), "a line for every picture of the templates",
                 set.key(f.picture), ""});
  }
  list.has_weights = true;
}

Trials read_ijb_pairs(const std::filesystem::path& path, const TemplateList& list) {
  BlankTable table(path, 3, "TEMPLATE TEMPLATE LABEL, the label 0 or 1");
  const TemplateNames names(list);
  Trials t;
  t.protocol = "ijb 1:1";
  t.pairs.reserve(table.most_lines());  // growing would copy, and hold twice, what takes a third of a gigabyte
  t.source = path.string();
  while (table.next()) {
    const std::string_view label = table[2];
    if (label != "0" && label != "1") table.refuse(label);
    const std::int64_t a = names.find(table[0], table);
    t.pairs.push_back({a, names.find(table[1], table), label == "1"});
  }
  const std::int64_t genuine = t.genuine();
  if (genuine == 0 || genuine == static_cast<std::int64_t>(t.pairs.size()))
    fail_data({"a list of pairs lacks a class", path.string(), "genuine and impostor pairs",
               format_count(static_cast<std::uint64_t>(genuine)) + " genuine of " + format_count(t.pairs.size()), ""});
  Digest d;
  d.add(table.digest()).add(list.digest());
  t.digest = d.hex();
  return t;
}

}  // namespace likeness::eval
