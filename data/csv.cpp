#include "data/csv.h"

#include <algorithm>

#include "core/error.h"
#include "core/file.h"

namespace likeness::data {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

CsvReader::CsvReader(const std::filesystem::path& path) : path_(path), text_(read_text(path)) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  std::string line;
  if (!next_line(line)) fail_data({"table is empty", path.string(), "a header line: path,gender", "nothing", ""});
  if (line.find(',') == std::string::npos && line.find('\t') != std::string::npos) separator_ = '\t';
  split(line, header_);
  for (std::size_t i = 0; i < header_.size(); ++i)
    if (std::find(header_.begin(), header_.begin() + static_cast<std::ptrdiff_t>(i), header_[i]) !=
        header_.begin() + static_cast<std::ptrdiff_t>(i))
      fail_data({"column is there twice", where(), "different names", header_[i], ""});
}

int CsvReader::column(const std::string& name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  return found == header_.end() ? -1 : static_cast<int>(found - header_.begin());
}

bool CsvReader::next(std::vector<std::string>& row) {
  std::string line;
  if (!next_line(line)) return false;
  split(line, row);
  if (row.size() != header_.size())
    fail_data({"row has another number of fields than the header", where(), std::to_string(header_.size()),
               std::to_string(row.size()), ""});
  return true;
}

std::string CsvReader::where() const { return path_.string() + ", line " + std::to_string(line_); }

bool CsvReader::next_line(std::string& line) {
  while (at_ < text_.size()) {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line.assign(text_, at_, end - at_);
    at_ = end + 1;
    ++line_;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(separator_ == ',' ? " \t" : " ") != std::string::npos) return true;
  }
  return false;
}

void CsvReader::split(const std::string& line, std::vector<std::string>& fields) const {
  fields.clear();
  std::size_t at = 0;
  for (;;) {
    std::string field;
    const std::size_t start = line.find_first_not_of(separator_ == ',' ? " \t" : " ", at);
    if (start != std::string::npos && line[start] == '"') {
      for (at = start + 1;; ++at) {
        if (at >= line.size())
          fail_data({"quote is not closed", where(), "\" at the end of the field", line.substr(start, 40), ""});
        if (line[at] == '"' && at + 1 < line.size() && line[at + 1] == '"')
          ++at;
        else if (line[at] == '"')
          break;
        field += line[at];
      }
      at = std::min(line.find(separator_, at), line.size());
    } else {
      const std::size_t end = std::min(line.find(separator_, at), line.size());
      field = trimmed(line.substr(at, end - at));
      at = end;
    }
    fields.push_back(std::move(field));
    if (at >= line.size()) return;
    ++at;
  }
}

}  // namespace likeness::data
