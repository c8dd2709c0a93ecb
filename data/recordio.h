// MXNet RecordIO, the field's training format: train.rec, train.idx and `property`, as InsightFace and im2rec pack it.
//
// A record is a u32 magic 0xced7230a, a u32 of 3 bits part flag and 29 bits length, the payload, and zeros up to a
// multiple of four bytes, all little-endian. A writer splits a payload wherever it holds the magic at an aligned
// position and leaves these four bytes out; the reader puts them back. The payload is u32 flag, f32 label, u64 id, u64
// id2, then `flag` further f32 labels, then the picture. (dmlc-core recordio.h, mxnet recordio.py.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "core/file.h"
#include "data/face_source.h"

namespace likeness::data {

struct Record {
  std::uint32_t flag = 0;  // number of labels in front of the picture; 0: the one in the header
  float header_label = 0;
  std::uint64_t id = 0, id2 = 0;
  std::span<const std::byte> labels;  // flag x f32
  std::span<const std::byte> body;    // the encoded picture
  int parts = 1;
  std::uint64_t next = 0;  // offset of the record behind this one

  float label(std::size_t k = 0) const;
  // The header record (labels: images + 1, images + 1 + identities) and the identity records (first, end) of
  // InsightFace hold no picture. Tested on both properties: two labels alone are also what im2rec's multi-label
  // pictures have.
  bool holds_no_picture() const { return flag == 2 && body.empty(); }
};

// The record at `offset` of a .rec's bytes; `path` and `key` are for messages. The spans point into `file`, or into
// `scratch` for a record of several parts. kData: outside the file, wrong magic, parts out of order, truncated, more
// labels than bytes.
Record read_record(std::span<const std::byte> file, std::uint64_t offset, std::uint64_t key,
                   const std::filesystem::path& path, std::vector<std::byte>& scratch);

// A mapped .rec. Reading is const and safe from many threads.
class RecordFile {
 public:
  explicit RecordFile(const std::filesystem::path& path) : file_(path) {}
  Record read(std::uint64_t offset, std::uint64_t key, std::vector<std::byte>& scratch) const {
    return read_record(file_.bytes(), offset, key, file_.path(), scratch);
  }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
};

struct IndexEntry {
  std::uint64_t key, offset;
};
// `key<TAB>offset` lines, in any order; returned by key. kData naming the line: malformed, or a key that occurs twice.
std::vector<IndexEntry> read_index(const std::filesystem::path& path);
// Without .idx: walks the records and numbers them by their ids where these are all different, else by position.
std::vector<IndexEntry> scan_index(const RecordFile& file);

// The pictures of a .rec in the order of their keys. Labels come from the pictures' own records: identity records keep
// their ranges as f32, which are wrong above 2^24 and are never used. The number of identities is that of `property` if
// it is there, else the largest label + 1.
std::unique_ptr<FaceSource> open_recordio(const std::filesystem::path& rec);

}  // namespace likeness::data
