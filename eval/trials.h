// Which pictures are compared with which: pairs.txt of LFW and its relatives, CSV, pairs stored with a set, or all pairs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/embeddings.h"
#include "data/face_source.h"
#include "eval/metrics/tally.h"

namespace likeness::eval {

// What a trial list is resolved against: the pictures of a set or of an archive, by name. Names are accepted as the set's key
// ("images/A/A_0001.jpg"), as its last parts ("A/A_0001.jpg", "A_0001.jpg"), and with or without a picture's extension.
class SetIndex {
 public:
  static SetIndex of(const data::FaceSource& source);
  static SetIndex of(const EmbeddingArchive& archive);
  // Other things with names, e.g. templates; `name` is the list they come from.
  static SetIndex of(const std::vector<std::string>& keys, const std::vector<std::int64_t>& subjects, const std::string& name);

  std::int64_t size() const { return static_cast<std::int64_t>(keys_.size()); }
  const std::string& key(std::int64_t row) const { return keys_[static_cast<std::size_t>(row)]; }
  std::int64_t subject(std::int64_t row) const { return subjects_[static_cast<std::size_t>(row)]; }  // -1: unknown
  std::string subject_name(std::int64_t subject) const;  // as the set has it, else its number
  const std::string& name() const { return name_; }      // the set, for messages

  // The row, or kMissing, or kAmbiguous when several keys end so.
  static constexpr std::int64_t kMissing = -1, kAmbiguous = -2;
  std::int64_t find(const std::string& name) const;

 private:
  void add(const std::string& key, std::int64_t subject);

  std::string name_;
  std::vector<std::string> keys_;
  std::vector<std::int64_t> subjects_;
  std::vector<std::string> subject_names_;
  std::unordered_map<std::string, std::int64_t> rows_;  // every ending of a key, without extension
};

// The one row that a list names. kData naming `where` when the set has none, or several.
std::int64_t find_picture(const SetIndex& set, const std::string& name, const std::string& where);

struct Trials {
  bool all = false;                  // every pair of the set; the lists are empty
  std::vector<ListedPair> pairs;     // rows of the set
  std::vector<std::int32_t> fold;    // [P], or empty: contiguous folds
  int folds = 10;                    // as the file says, else ten as in the field
  std::string protocol;              // "lfw pairs", "csv pairs", "stored pairs", "all pairs"
  std::string source;                // file, or set
  std::string digest;                // of keys and labels in order: equal digests can be paired

  std::int64_t genuine() const;
};

// pairs.txt: fields separated by tabs (or blanks), three for the same person (name, i, j), four for two people
// (name, i, name, j); picture i of a person is NAME_%04d. A first line of one or two whole numbers is a header (pairs per
// class and fold, or folds and that); a file without one, as RFW's, loses no line.
// CSV: a header line with columns a, b, label (or same) and, if wanted, fold; a and b name pictures; label 1, true, same or
// genuine, against 0, -1, false, different or impostor.
// Errors: kData naming file and line: unknown picture, malformed line, a header that does not fit the number of lines; no pairs.
Trials read_trials(const std::filesystem::path& path, const SetIndex& set);

// The pairs stored with a verification pack. kUsage when the set has none.
Trials stored_trials(const data::FaceSource& source, const SetIndex& set);

// Every pair. kData when there are not at least one genuine and one impostor pair, or a picture's identity is unknown.
Trials all_trials(const SetIndex& set);

// For makers of lists: refuses a list without both classes (kData: no pairs left), and sets the digest.
void finish_trials(Trials& trials, const SetIndex& set);

// The same trials over a smaller archive: `rows` are the set's rows it holds, in order.
Trials remap(const Trials& trials, const std::vector<std::int64_t>& rows);
// The set's rows a list needs, rising.
std::vector<std::int64_t> needed_rows(const Trials& trials);

}  // namespace likeness::eval
