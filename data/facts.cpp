#include "data/facts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "core/error.h"
#include "data/csv.h"

namespace likeness::data {
namespace {

namespace fs = std::filesystem;

// "record 17" -> "17"
std::string number_of(const std::string& key) { return key.substr(key.find_last_of(' ') + 1); }

// Finds the pictures of a row.
class Joiner {
 public:
  Joiner(const FaceSource& source, const CsvReader& table) : source_(source) {
    for (const char* by : {"path", "key", "identity"})
      if (column_ < 0) {
        column_ = table.column(by);
        by_ = by;
      }
    if (column_ < 0)
      fail_data({"table does not say which pictures it is about", table.path().string(),
                 "a column path, key or identity", "none of them", ""});
    by_path_is_file_ = fs::is_directory(source.path());
    folder_ = fs::absolute(table.path()).parent_path();
    root_ = (fs::absolute(source.path()) / "").lexically_normal().generic_string();
    for (std::int64_t i = 0; i < source.size(); ++i) pictures_[name_of(i)].push_back(i);
    seen_.resize(static_cast<std::size_t>(source.size()));
  }

  const std::string& by() const { return by_; }
  int column() const { return column_; }

  // The row's pictures; empty when there are none.
  const std::vector<std::int64_t>& of(const CsvReader& table, const std::string& field) {
    static const std::vector<std::int64_t> none;
    const bool file = by_ == "path" && by_path_is_file_;
    const auto found = pictures_.find(file ? (folder_ / field).lexically_normal().generic_string() : field);
    if (found == pictures_.end()) return none;
    for (const std::int64_t i : found->second) {
      if (seen_[static_cast<std::size_t>(i)])
        fail_data({"picture has two rows", table.where(), "one", source_.key(i), ""});
      seen_[static_cast<std::size_t>(i)] = true;
    }
    return found->second;
  }

  std::int64_t unseen() const { return std::count(seen_.begin(), seen_.end(), false); }

  std::string example() const { return source_.size() > 0 ? name_of(0) : ""; }

 private:
  std::string name_of(std::int64_t i) const {
    if (by_ == "identity") {
      const std::int64_t label = source_.label(i);
      return label < 0 ? "" : source_.identity_name(label);
    }
    if (by_ == "key") return number_of(source_.key(i));
    return by_path_is_file_ ? root_ + source_.key(i) : source_.key(i);  // keys are in normal form
  }

  const FaceSource& source_;
  fs::path folder_;   // of the table, absolute
  std::string root_;  // of the pictures, absolute, with a slash behind
  std::string by_;
  int column_ = -1;
  bool by_path_is_file_ = false;
  std::unordered_map<std::string, std::vector<std::int64_t>> pictures_;
  std::vector<bool> seen_;
};

// Walks the table; `use` gets each row with its pictures.
void join(const FaceSource& source, CsvReader& table, JoinReport& report,
          const std::function<void(const std::vector<std::string>&, const std::vector<std::int64_t>&)>& use) {
  Joiner joiner(source, table);
  report = {joiner.by(), 0, 0, 0};
  std::vector<std::string> row;
  std::string first;
  while (table.next(row)) {
    const std::string& field = row[static_cast<std::size_t>(joiner.column())];
    if (report.rows == 0) first = field;
    const auto& pictures = joiner.of(table, field);
    ++report.rows;
    if (pictures.empty())
      ++report.rows_without_picture;
    else
      use(row, pictures);
  }
  report.pictures_without_row = joiner.unseen();
  if (report.rows == report.rows_without_picture)
    fail_data({"no row of the table belongs to a picture", table.path().string(),
               joiner.by() + " like " + joiner.example(), first,
               joiner.by() == "path" ? "paths in a table are relative to the table's own folder" : ""});
}

// Columns that hold facts, not names.
std::vector<std::size_t> fact_columns(const CsvReader& table) {
  std::vector<std::size_t> columns;
  for (std::size_t c = 0; c < table.header().size(); ++c) {
    const std::string& name = table.header()[c];
    if (name != "path" && name != "key" && name != "identity" && name != "label") columns.push_back(c);
  }
  return columns;
}

std::uint64_t code_of(AttributeColumn& column, const std::string& value) {
  std::uint64_t code = 0;
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t plus = std::min(value.find('+', at), value.size());
    if (plus > at) code |= column.code_of(value.substr(at, plus - at));
    at = plus + 1;
  }
  return code;
}

const std::string& gender_of_male(const std::string& value) {
  static const std::string female = "female", male = "male";
  return value == "1" ? male : value == "0" || value == "-1" ? female : value;
}

double coordinate(const std::string& text, const CsvReader& table) {
  double value = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size() || !std::isfinite(value))
    fail_data({"landmark is not a number", table.where(), "ten finite numbers", text, ""});
  return value;
}

}  // namespace

AttributeTable read_attributes(const FaceSource& source, const fs::path& csv, JoinReport& report) {
  CsvReader table(csv);
  const std::vector<std::size_t> columns = fact_columns(table);
  const auto rows = static_cast<std::size_t>(source.size());
  AttributeTable attributes;
  std::vector<bool> from_male;
  for (const std::size_t c : columns) {
    const std::string& name = table.header()[c];
    if (name.empty() || name.find('/') != std::string::npos)
      fail_data({"column has no usable name", table.path().string() + ", column " + std::to_string(c + 1),
                 "a name without /", name, ""});
    from_male.push_back(name == "male" && table.column("gender") < 0);
    attributes.column(from_male.back() ? "gender" : name, rows);
  }
  join(source, table, report, [&](const auto& row, const auto& pictures) {
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const std::string& value = row[columns[k]];
      AttributeColumn& column = attributes.columns[k];
      const std::uint64_t code = code_of(column, from_male[k] ? gender_of_male(value) : value);
      for (const std::int64_t i : pictures) column.codes[static_cast<std::size_t>(i)] = code;
    }
  });
  return attributes;
}

std::vector<std::optional<Landmarks>> read_landmarks(const FaceSource& source, const fs::path& csv,
                                                     JoinReport& report) {
  CsvReader table(csv);
  const std::vector<std::size_t> columns = fact_columns(table);
  if (columns.size() != 10)
    fail_data({"table does not hold five points", table.path().string(),
               "ten columns beside path, key, identity and label", std::to_string(columns.size()),
               "left eye, right eye, nose, left and right corner of the mouth, each x,y"});
  std::vector<std::optional<Landmarks>> points(static_cast<std::size_t>(source.size()));
  join(source, table, report, [&](const auto& row, const auto& pictures) {
    Landmarks five;
    for (std::size_t k = 0; k < 5; ++k)
      five[k] = {coordinate(row[columns[2 * k]], table), coordinate(row[columns[2 * k + 1]], table)};
    for (const std::int64_t i : pictures) points[static_cast<std::size_t>(i)] = five;
  });
  return points;
}

}  // namespace likeness::data
