// Trial lists as files: pairs.txt of LFW and its relatives, and CSV.
#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "data/csv.h"
#include "eval/trials.h"

namespace likeness::eval {
namespace {

// Lines of a text file with their numbers, without line ends and a byte order mark; blank lines are skipped.
struct Line {
  std::string text;
  std::size_t number;
};
std::vector<Line> lines_of(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::vector<Line> lines;
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0, number = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.pop_back();
    ++number;
    if (!line.empty()) lines.push_back({std::move(line), number});
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> fields(1);
  for (char c : line) {
    if (c == separator) fields.emplace_back();
    else fields.back() += c;
  }
  return fields;
}

std::vector<std::string> fields_of(const std::string& line) {
  if (line.find('\t') != std::string::npos) return split(line, '\t');
  std::vector<std::string> fields;
  for (std::string& f : split(line, ' '))
    if (!f.empty()) fields.push_back(std::move(f));
  return fields;
}

bool is_number(const std::string& s) {
  return !s.empty() && s.size() <= 9 && std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::string place(const std::filesystem::path& path, const Line& line) {
  return path.string() + ", line " + std::to_string(line.number);
}

std::string numbered(const std::string& name, const std::string& number) {
  return name + "_" + std::string(number.size() < 4 ? 4 - number.size() : 0, '0') + number;
}

Trials read_pairs_txt(const std::filesystem::path& path, std::vector<Line> lines, const SetIndex& set) {
  Trials t;
  t.protocol = "lfw pairs";
  std::int64_t announced = -1;
  const auto head = fields_of(lines.front().text);
  if (head.size() <= 2 && std::all_of(head.begin(), head.end(), is_number)) {
    const std::int64_t folds = head.size() == 2 ? std::stoll(head[0]) : 1, each = std::stoll(head.back());
    announced = folds * 2 * each;
    if (folds >= 2) t.folds = static_cast<int>(folds);
    lines.erase(lines.begin());
    if (announced != static_cast<std::int64_t>(lines.size()))
      fail_data({"a list of pairs is not as long as its first line says", path.string(),
                 format_count(static_cast<std::uint64_t>(announced)) + " pairs", format_count(lines.size()), "the file is cut, or not a pairs.txt"});
  }
  for (const Line& line : lines) {
    const auto f = fields_of(line.text);
    const std::string where = place(path, line);
    const bool same = f.size() == 3;
    if ((!same && f.size() != 4) || !is_number(f[1]) || !is_number(f.back()))
      fail_data({"a pair cannot be read", where, "NAME I J, or NAME I NAME J, separated by tabs", line.text.substr(0, 80), ""});
    t.pairs.push_back({find_picture(set, numbered(f[0], f[1]), where), find_picture(set, numbered(f[same ? 0 : 2], f.back()), where), same});
  }
  return t;
}

bool read_label(std::string text, const std::string& where) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* yes : {"1", "true", "same", "genuine"})
    if (text == yes) return true;
  for (const char* no : {"0", "-1", "false", "different", "impostor"})
    if (text == no) return false;
  fail_data({"a pair's label cannot be read", where, "1 (same person) or 0 (different people)", text, ""});
}

Trials read_csv(const std::filesystem::path& path, const std::string& header, const SetIndex& set) {
  Trials t;
  t.protocol = "csv pairs";
  data::CsvReader table(path);
  const int a = table.column("a"), b = table.column("b"), fold = table.column("fold");
  const int label = table.column("label") >= 0 ? table.column("label") : table.column("same");
  if (std::min({a, b, label}) < 0)
    fail_data({"a list of pairs lacks a column", table.where(), "a,b,label[,fold]", header.substr(0, 80), ""});
  for (std::vector<std::string> f; table.next(f);) {
    const std::string where = table.where();
    const auto field = [&f](int column) -> const std::string& { return f[static_cast<std::size_t>(column)]; };
    t.pairs.push_back({find_picture(set, field(a), where), find_picture(set, field(b), where), read_label(field(label), where)});
    if (fold < 0) continue;
    if (!is_number(field(fold))) fail_data({"a pair's fold cannot be read", where, "a whole number", field(fold), ""});
    t.fold.push_back(static_cast<std::int32_t>(std::stol(field(fold))));
  }
  return t;
}

}  // namespace

Trials read_trials(const std::filesystem::path& path, const SetIndex& set) {
  std::vector<Line> lines = lines_of(path);
  if (lines.empty()) fail_data({"no pairs left", path.string(), "a list of pairs", "an empty file", ""});
  const bool csv = lines.front().text.find(',') != std::string::npos;
  Trials t = csv ? read_csv(path, lines.front().text, set) : read_pairs_txt(path, std::move(lines), set);
  t.source = path.string();
  finish_trials(t, set);
  return t;
}

}  // namespace likeness::eval
