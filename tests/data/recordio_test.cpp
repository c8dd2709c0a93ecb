#include "data/recordio.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/data/sha256.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

nlohmann::json expected() { return nlohmann::json::parse(likeness::read_text(golden("formats/expected.json"))); }

TEST(RecordFile, ReadsEveryRecordThatMxnetWrote) {
  const auto all = expected();
  for (const char* set : {"rec_insightface", "rec_noheader", "rec_packimg", "rec_edge"}) {
    const RecordFile file(golden("formats") / set / "train.rec");
    const auto index = read_index(golden("formats") / set / "train.idx");
    const auto& records = all[set]["records"];
    ASSERT_EQ(index.size(), records.size()) << set;
    std::vector<std::byte> scratch;
    for (const auto& r : records) {
      const auto entry =
          std::find_if(index.begin(), index.end(), [&](const IndexEntry& e) { return e.key == r["key"]; });
      ASSERT_NE(entry, index.end());
      EXPECT_EQ(entry->offset, r["offset"]);
      const Record record = file.read(entry->offset, entry->key, scratch);
      EXPECT_EQ(record.parts, r["parts"]);
      EXPECT_EQ(record.flag, r["flag"]);
      EXPECT_EQ(record.id, r["id"]);
      EXPECT_EQ(record.id2, r["id2"]);
      for (std::size_t k = 0; k < r["label"].size(); ++k) EXPECT_EQ(record.label(k), r["label"][k].get<float>());
      EXPECT_EQ(record.body.size(), r["payload_len"]);
      EXPECT_EQ(sha256(record.body), r["payload_sha256"]) << set << " record " << entry->key;
    }
  }
}

TEST(RecordFile, WalkingFindsTheSameRecordsAsTheIndex) {
  for (const char* set : {"rec_noheader", "rec_packimg"}) {
    const auto index = read_index(golden("formats") / set / "train.idx");
    const auto found = scan_index(RecordFile(golden("formats") / set / "train.rec"));
    ASSERT_EQ(found.size(), index.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].key, index[i].key);
      EXPECT_EQ(found[i].offset, index[i].offset);
    }
  }
}

TEST(RecordSource, HeaderAndIdentityRecordsAreNotPictures) {
  const auto source = open_faces(golden("formats/rec_insightface"));
  EXPECT_EQ(source->size(), 13);
  EXPECT_EQ(source->identities(), 6);  // property says so; classes 3 and 4 are empty
  EXPECT_EQ(source->key(0), "record 1");
  EXPECT_EQ(source->label(12), 5);
  EXPECT_EQ(source->geometry().describe(), FaceGeometry::unknown(112, 112).describe());
}

TEST(RecordSource, WithoutAHeaderRecordKeyZeroIsAPicture) {
  const auto source = open_faces(golden("formats/rec_noheader/train.rec"));
  EXPECT_EQ(source->size(), 9);
  EXPECT_EQ(source->identities(), 3);
  EXPECT_EQ(source->key(0), "record 0");
}

TEST(RecordSource, LabelsAboveF32sWholeNumbersAreWhatTheRecordHolds) {
  const auto source = open_faces(golden("formats/rec_edge"));
  ASSERT_EQ(source->size(), 11);
  std::map<std::string, std::int64_t> labels;
  for (std::int64_t i = 0; i < source->size(); ++i) labels[source->key(i)] = source->label(i);
  EXPECT_EQ(labels["record 1"], 17186136);
  EXPECT_EQ(labels["record 20"], 16777216);
  EXPECT_EQ(labels["record 2"], 3);           // two labels and a body: a picture, its first label counts
  EXPECT_EQ(labels["record 12"], 9);          // one label in front
  EXPECT_EQ(labels["record 6"], -1);          // unknown
  EXPECT_EQ(source->identities(), 17186137);  // no property: counted
}

TEST(RecordSource, RecordsOfSeveralPartsAreJoined) {
  const auto source = open_faces(golden("formats/rec_edge"));
  std::vector<std::byte> scratch;
  for (std::int64_t i = 0; i < source->size(); ++i)
    if (source->key(i) == "record 4") {
      const auto body = source->encoded(i, scratch);
      ASSERT_EQ(body.size(), 12u);
      for (std::size_t k = 0; k < 12; ++k)
        EXPECT_EQ(std::to_integer<int>(body[k]), (std::array{0x0a, 0x23, 0xd7, 0xce})[k % 4]);
    }
}

TEST(RecordSource, ATruncatedFileIsNoticedWhenItIsOpened) {
  TempDir dir;
  write_records(dir / "set", {0, 0, 1});
  Bytes rec = read_bytes(dir / "set/train.rec");
  rec.resize(rec.size() - 40);
  write_bytes(dir / "set/train.rec", rec);
  const auto parts = error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); });
  expect_part(parts.where, "train.rec, record 2 at byte");
  EXPECT_EQ(parts.what, "record is cut off");
  std::filesystem::remove(dir / "set/train.idx");  // walking notices it, too
  expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); }).where, "record 2");
}

TEST(RecordSource, AnIndexPastTheEndIsNoticedWhenItIsOpened) {
  TempDir dir;
  write_records(dir / "set", {0, 0, 1});
  write_text(dir / "set/train.idx", "0\t0\n1\t99999999\n");
  const auto parts = error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); });
  expect_part(parts.where, "train.idx, key 1");
  EXPECT_EQ(parts.got, "99999999");
}

TEST(RecordSource, AnOffsetIntoTheMiddleOfARecordIsAWrongMagic) {
  TempDir dir;
  write_records(dir / "set", {0, 0, 1});
  write_text(dir / "set/train.idx", "0\t4\n");
  const auto parts = error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); });
  EXPECT_EQ(parts.expected, "the magic number ced7230a");
}

TEST(RecordSource, LabelsBeyondPropertyAreRefusedByRecord) {
  TempDir dir;
  write_records(dir / "set", {0, 1, 7});
  write_text(dir / "set/property", "3,32,32\n");
  const auto source = open_faces(dir / "set");
  EXPECT_EQ(source->identities(), 3);
  EXPECT_EQ(source->label(1), 1);
  const auto parts = error_of(ErrorKind::kData, [&] { source->label(2); });
  expect_part(parts.where, "record 2");
  EXPECT_EQ(parts.got, "label 7");
}

TEST(RecordSource, LabelsThatAreNoClassAreRefused) {
  for (const float bad :
       {0.5f, -2.f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    TempDir dir;
    write_records(dir / "set", {0, bad});
    expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); }).where, "record 1");  // counting meets it
  }
}

TEST(RecordSource, IndexLinesAreChecked) {
  TempDir dir;
  write_records(dir / "set", {0});
  write_text(dir / "set/train.idx", "0\t0\nseven\n");
  expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); }).where, "train.idx, line 2");
  write_text(dir / "set/train.idx", "0\t0\n0\t0\n");
  EXPECT_EQ(error_of(ErrorKind::kData, [&] { open_faces(dir / "set"); }).got, "key 0");
}

TEST(OpenFaces, OtherFilesAreRefusedByName) {
  TempDir dir;
  write_text(dir / "notes.txt", "hello");
  expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "notes.txt"); }).where, "notes.txt");
  error_of(ErrorKind::kData, [&] { open_faces(dir / "nothing"); });
}

}  // namespace
}  // namespace likeness::test
