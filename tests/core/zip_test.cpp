#include "core/zip.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/errors.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string written(const std::vector<std::pair<std::string, std::string>>& members) {
  const test::TempDir dir;
  std::vector<ZipMember> list;
  for (const auto& [name, text] : members) list.push_back({name, bytes_of(text)});
  write_zip(dir / "a.zip", IfExists::kRefuse, list);
  std::ifstream in(dir / "a.zip", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Zip, CrcIsThatOfZip) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xcbf43926u);  // the catalogue's check value
  EXPECT_EQ(crc32(bytes_of("")), 0u);
  EXPECT_EQ(crc32(bytes_of("The quick brown fox jumps over the lazy dog")), 0x414fa339u);
}

TEST(Zip, GivesBackWhatWasWritten) {
  const std::string file = written({{"b/data", std::string(1000, 'x')}, {"a", ""}, {"b/version", "3\n"}});
  const ZipArchive zip(bytes_of(file), "a.zip");
  EXPECT_EQ(zip.names(), (std::vector<std::string>{"a", "b/data", "b/version"}));
  EXPECT_EQ(text_of(zip.member("b/data")), std::string(1000, 'x'));
  EXPECT_EQ(text_of(zip.member("a")), "");
  EXPECT_EQ(text_of(zip.member("b/version")), "3\n");
  EXPECT_TRUE(zip.has("a"));
  EXPECT_FALSE(zip.has("c"));
  for (const char* name : {"b/data", "b/version"})
    EXPECT_EQ((zip.member(name).data() - bytes_of(file).data()) % 64, 0) << name;
  EXPECT_EQ(written({{"b/data", std::string(1000, 'x')}, {"a", ""}, {"b/version", "3\n"}}), file);
}

TEST(Zip, RefusesWhatIsDamaged) {
  const std::string file = written({{"one", "some text"}, {"two", "more"}});
  const auto refusal = [](const std::string& bytes) {
    return test::refusal([&] { ZipArchive(bytes_of(bytes), "a.zip").member("one"); });
  };
  EXPECT_NE(refusal("").find("0 bytes"), std::string::npos);
  EXPECT_NE(refusal(file.substr(0, file.size() - 1)).find("no directory"), std::string::npos);
  std::string changed = file;
  changed[file.find("some text")] ^= 1;
  EXPECT_NE(refusal(changed).find("CRC-32"), std::string::npos);
  changed = file;
  const std::size_t entry = file.find("PK\x01\x02");
  changed[entry + 10] = 8;  // deflate
  EXPECT_NE(refusal(changed).find("compressed"), std::string::npos);
  changed = file;
  changed[entry + 43] = 0x7f;  // a local header far away
  EXPECT_NE(refusal(changed).find("beyond"), std::string::npos);
  changed = file;
  changed.replace(file.rfind("two"), 3, "one");
  EXPECT_NE(refusal(changed).find("twice"), std::string::npos);
  EXPECT_NE(test::refusal([&] { ZipArchive(bytes_of(file), "a.zip").member("three"); }).find("three"),
            std::string::npos);
}

}  // namespace
}  // namespace likeness
