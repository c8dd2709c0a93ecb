// Comma-separated tables with a header line, as facts about pictures come.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace likeness::data {

// Reads row by row; a field may be quoted, with "" for a quote inside, but not run over several lines. A byte order
// mark, carriage returns, spaces around fields and blank lines are ignored. Separator: comma, or tab if the header has
// no comma.
class CsvReader {
 public:
  // kData naming the file: no header line, or a column named twice.
  explicit CsvReader(const std::filesystem::path& path);
  const std::vector<std::string>& header() const { return header_; }
  // Index of the column with this name, or -1.
  int column(const std::string& name) const;
  // The next row, or false at the end. kData naming file and line when it has not as many fields as the header.
  bool next(std::vector<std::string>& row);
  // "images.csv, line 17": the row that next() gave last.
  std::string where() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  bool next_line(std::string& line);
  void split(const std::string& line, std::vector<std::string>& fields) const;

  std::filesystem::path path_;
  std::string text_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
  char separator_ = ',';
  std::vector<std::string> header_;
};

}  // namespace likeness::data
