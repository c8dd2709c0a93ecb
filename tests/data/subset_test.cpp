// A set without some of its pictures is the same set otherwise, in every accessor.
#include "data/subset.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/faces_file.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

// Seven pictures of three people with one attribute and two pairs.
std::unique_ptr<FaceSource> example(const std::filesystem::path& folder) {
  const auto path = folder / "set.faces.h5";
  if (!std::filesystem::exists(path)) {
    write_faces(path, IfExists::kRefuse, std::nullopt, [](FacesWriter& writer) {
      FacesMeta meta;
      AttributeColumn& column = meta.attributes.column("shade", 7);
      for (int i = 0; i < 7; ++i) {
        writer.add(small_jpeg(i), {i / 3, {32, 32}, "p" + std::to_string(i), {}});
        column.codes[static_cast<std::size_t>(i)] = column.code_of(i % 2 ? "dark" : "light");
      }
      meta.geometry = FaceGeometry::unknown(32, 32);
      meta.identity_names = {"ann", "bob", "cid"};
      meta.pairs = {{0, 6, false}, {1, 5, false}, {5, 6, false}};
      return meta;
    });
  }
  return open_faces(path);
}

TEST(Subset, IsTheSetWithoutThem) {
  TempDir dir;
  const auto whole = example(dir.path());
  const std::vector<std::vector<std::int64_t>> lists = {{}, {0}, {6}, {2, 3}, {5, 1, 0, 1}, {0, 1, 2, 3, 4, 5}};
  std::vector<std::string> digests;
  for (const auto& dropped : lists) {
    const auto part = without_pictures(example(dir.path()), dropped);
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < 7; ++i)
      if (std::find(dropped.begin(), dropped.end(), i) == dropped.end()) kept.push_back(i);
    ASSERT_EQ(part->size(), static_cast<std::int64_t>(kept.size()));
    EXPECT_EQ(part->identities(), 3);
    EXPECT_EQ(part->identity_name(1), "bob");
    EXPECT_EQ(part->path(), whole->path());
    EXPECT_TRUE(part->geometry().same_as(whole->geometry()));
    std::vector<std::byte> a, b;
    const AttributeColumn shades = *part->attributes().find("shade");
    ASSERT_EQ(shades.codes.size(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      EXPECT_EQ(part->key(at), whole->key(kept[i]));
      EXPECT_EQ(part->label(at), whole->label(kept[i]));
      EXPECT_EQ(shades.text(i), whole->attributes().find("shade")->text(static_cast<std::size_t>(kept[i])));
      const auto bytes = part->encoded(at, a), want = whole->encoded(kept[i], b);
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), want.begin(), want.end()));
    }
    std::vector<std::pair<std::int64_t, std::int64_t>> pairs, want;
    for (const auto& p : part->pairs())
      pairs.emplace_back(kept[static_cast<std::size_t>(p.a)], kept[static_cast<std::size_t>(p.b)]);
    const auto is_kept = [&](std::int64_t i) { return std::find(kept.begin(), kept.end(), i) != kept.end(); };
    for (const auto& p : whole->pairs())
      if (is_kept(p.a) && is_kept(p.b)) want.emplace_back(p.a, p.b);
    EXPECT_EQ(pairs, want);
    digests.push_back(part->digest());
  }
  for (std::size_t i = 0; i < digests.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(digests[i], digests[k]);
  EXPECT_EQ(without_pictures(example(dir.path()), {5, 0, 1})->digest(), digests[4]);  // order and repeats do not count
}

TEST(Subset, AListNamesRecords) {
  TempDir dir;
  const auto set = example(dir.path());
  write_text(dir.path() / "drop.csv", "identity,record,cosine\nbob,p5,0.1\nann,p0,0.2\n");
  EXPECT_EQ(listed_pictures(*set, dir.path() / "drop.csv"), (std::vector<std::int64_t>{0, 5}));
  write_text(dir.path() / "none.csv", "record\n");
  EXPECT_TRUE(listed_pictures(*set, dir.path() / "none.csv").empty());
  write_text(dir.path() / "other.csv", "record\np0\np77\n");
  const ErrorParts other = error_of(ErrorKind::kData, [&] { listed_pictures(*set, dir.path() / "other.csv"); });
  expect_part(other.got, "p77");
  expect_part(other.where, "line 3");
  write_text(dir.path() / "bare.csv", "path\np0\n");
  expect_part(error_of(ErrorKind::kData, [&] { listed_pictures(*set, dir.path() / "bare.csv"); }).expected, "record");
}

}  // namespace
}  // namespace likeness::test
