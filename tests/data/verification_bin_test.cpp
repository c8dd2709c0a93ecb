#include "data/verification_bin.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "tests/data/sha256.h"
#include "tests/data/small_sets.h"

namespace likeness::test {
namespace {

using namespace data;  // NOLINT: the room under test

bool to_be_refused(const std::filesystem::path& path) {
  return path.filename().string().starts_with("must_be_refused");
}

// Every pack in a folder holds the same 20 pictures and 10 labels, in another dialect of pickle.
int compare_packs(const std::filesystem::path& folder) {
  const auto expected = nlohmann::json::parse(likeness::read_text(golden("formats/expected.json")))["bin"];
  int packs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".bin" || to_be_refused(entry.path())) continue;
    const auto source = open_faces(entry.path());
    EXPECT_EQ(source->size(), 20) << entry.path();
    std::vector<std::byte> scratch;
    for (std::int64_t i = 0; i < source->size(); ++i)
      EXPECT_EQ(sha256(source->encoded(i, scratch)), expected["images_sha256"][static_cast<std::size_t>(i)])
          << entry.path() << " picture " << i;
    const auto pairs = source->pairs();
    EXPECT_EQ(pairs.size(), 10u);
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      EXPECT_EQ(pairs[p].same, expected["issame"][p].get<bool>()) << entry.path() << " pair " << p;
      EXPECT_EQ(pairs[p].a, static_cast<std::int64_t>(2 * p));
      EXPECT_EQ(pairs[p].b, static_cast<std::int64_t>(2 * p + 1));
    }
    EXPECT_EQ(source->identities(), 0);
    EXPECT_EQ(source->label(3), -1);
    ++packs;
  }
  return packs;
}

TEST(VerificationBin, AllDialectsHoldTheSame) { EXPECT_EQ(compare_packs(golden("formats/bin")), 10); }

TEST(VerificationBin, AllDialectsOfTheFullSetHoldTheSame) {
  const char* goldens = std::getenv("LIKENESS_GOLDENS");
  if (!goldens) GTEST_SKIP() << "skipped: set LIKENESS_GOLDENS";
  EXPECT_EQ(compare_packs(std::filesystem::path(goldens) / "formats/bin"), 23);
}

TEST(VerificationBin, AForeignGlobalIsRefusedByName) {
  const auto path = golden("formats/bin/must_be_refused_eval.bin");
  const auto parts = error_of(ErrorKind::kData, [&] { open_faces(path); });
  EXPECT_EQ(parts.got, "builtins eval");
  expect_part(parts.where, "must_be_refused_eval.bin, byte ");
}

TEST(VerificationBin, ACutPackIsRefused) {
  error_of(ErrorKind::kData, [&] { open_faces(golden("formats/bin/must_be_refused_truncated.bin")); });
  // Cut anywhere, also where no frame tells the length.
  const Bytes whole = read_bytes(golden("formats/bin/py2_pickle_proto2.bin"));
  TempDir dir;
  for (const std::size_t n : {1u, 2u, 3u, 100u, 5000u, 80000u}) {
    write_bytes(dir / "cut.bin", std::span(whole).first(n));
    error_of(ErrorKind::kData, [&] { open_faces(dir / "cut.bin"); });
  }
}

TEST(VerificationBin, PicturesAndLabelsHaveToFit) {
  const auto parts =
      error_of(ErrorKind::kData, [&] { open_faces(golden("formats/bin/must_be_refused_count_mismatch.bin")); });
  EXPECT_EQ(parts.got, "3 pictures and 1 booleans");
}

TEST(VerificationBin, OtherPicklesAreNotPacks) {
  TempDir dir;
  for (const std::string& text :
       {std::string("(lp0\n."), std::string("I7\n."), std::string("(](I1\nI2\ntt."), std::string("(](I1\nVx\nlt.")}) {
    write_text(dir / "other.bin", text);
    expect_part(error_of(ErrorKind::kData, [&] { open_faces(dir / "other.bin"); }).what, "not a verification pack");
  }
}

}  // namespace
}  // namespace likeness::test
