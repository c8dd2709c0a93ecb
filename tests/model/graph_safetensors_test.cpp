#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/graph/weights.h"
#include "tests/support/paths.h"

namespace likeness::model {
namespace {

std::vector<std::byte> file_with(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes(sizeof length + header.size() + data_bytes);
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, header.data(), header.size());
  return bytes;
}

std::string refusal(const std::vector<std::byte>& bytes) {
  try {
    parse_safetensors(bytes, "hostile.safetensors");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(e.what()).find("hostile.safetensors"), std::string::npos);
    return e.what();
  }
  return "";
}

TEST(Safetensors, ReadsEveryTypeOfTheFormatsOwnLibrary) {
  const Weights weights = read_safetensors(test::golden("safetensors/all_dtypes.safetensors"));
  const auto expected = nlohmann::json::parse(std::ifstream(test::golden("safetensors/expected.json")));
  ASSERT_EQ(weights.tensors.size(), expected.size());
  for (const auto& [name, e] : expected.items()) {
    const WeightTensor& t = weights.at(name);
    EXPECT_EQ(t.shape, e.at("shape").get<std::vector<std::int64_t>>()) << name;
    const std::vector<double> values = t.as_double();
    ASSERT_EQ(values.size(), e.at("values").size()) << name;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& v = e.at("values")[i];
      const double want = v.is_string() ? std::stod(v.get<std::string>()) : v.get<double>();
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(values[i])) << name;
      } else {
        EXPECT_EQ(values[i], want) << name << " " << i;
        EXPECT_EQ(std::signbit(values[i]), std::signbit(want)) << name << " " << i;
      }
    }
  }
}

TEST(Safetensors, SmallFloatsCoverTheirSpecialValues) {
  const auto one = [](const char* dtype, std::initializer_list<unsigned> bytes) {
    WeightTensor t{dtype, {1}, {}};
    for (unsigned b : bytes) t.data.push_back(static_cast<std::byte>(b));
    return t.as_double().at(0);
  };
  EXPECT_EQ(one("F16", {0xff, 0x7b}), 65504);
  EXPECT_EQ(one("F16", {0x01, 0x00}), std::ldexp(1.0, -24));
  EXPECT_TRUE(std::isinf(one("F16", {0x00, 0xfc})));
  EXPECT_TRUE(std::isnan(one("F16", {0x01, 0x7c})));
  EXPECT_EQ(one("BF16", {0x80, 0x3f}), 1);
  EXPECT_EQ(one("F8_E4M3", {0x7e}), 448);
  EXPECT_TRUE(std::isnan(one("F8_E4M3", {0x7f})));
  EXPECT_EQ(one("F8_E4M3", {0x01}), std::ldexp(1.0, -9));
  EXPECT_EQ(one("F8_E5M2", {0x7b}), 57344);
  EXPECT_TRUE(std::isinf(one("F8_E5M2", {0xfc})));
}

TEST(Safetensors, ReadsFilesWithoutMetadataOrTensors) {
  EXPECT_TRUE(read_safetensors(test::golden("safetensors/no_metadata.safetensors")).metadata.empty());
  EXPECT_TRUE(read_safetensors(test::golden("safetensors/no_tensors.safetensors")).tensors.empty());
}

TEST(Safetensors, RefusesWhatTheFormatsOwnLibraryRefuses) {
  for (const char* name : {"header_too_long", "truncated"}) {
    const auto path = test::golden(std::string("safetensors/must_be_refused_") + name + ".safetensors");
    try {
      read_safetensors(path);
      ADD_FAILURE() << name << " was read";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kData);
      EXPECT_NE(std::string(e.what()).find(path.filename().string()), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(read_safetensors("/nowhere.safetensors"), Error);
}

TEST(Safetensors, RefusesHostileHeaders) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_EQ(refusal(file_with("{" + a + "}", 8)), "");
  const std::pair<const char*, std::vector<std::byte>> cases[] = {
      {"empty file", {}},
      {"seven bytes", std::vector<std::byte>(7)},
      {"length 2^64-1", std::vector<std::byte>(64, std::byte{0xff})},
      {"not JSON", file_with("{\"a\":", 0)},
      {"not an object", file_with("[1,2]", 0)},
      {"text after the object", file_with("{" + a + "} x", 8)},
      {"a name twice", file_with("{" + a + "," + a + "}", 8)},
      {"overlap", file_with("{" + a + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12)},
      {"hole", file_with("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})", 16)},
      {"bytes nobody claims", file_with("{" + a + "}", 9)},
      {"truncated data", file_with("{" + a + "}", 7)},
      {"size unlike shape", file_with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)},
      {"unknown dtype", file_with(R"({"a":{"dtype":"Q4","shape":[8],"data_offsets":[0,8]}})", 8)},
      {"negative size", file_with(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8)},
      {"fractional size", file_with(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8)},
      {"shape that overflows",
       file_with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,1],"data_offsets":[0,0]}})", 0)},
      {"shape that is a number", file_with(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8)},
      {"reversed offsets", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8)},
      {"one offset", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8)},
      {"no shape", file_with(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8)},
      {"unknown key", file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8)},
      {"entry that is a text", file_with(R"({"a":"F32"})", 0)},
      {"metadata with a number", file_with(R"({"__metadata__":{"a":1}})", 0)},
      {"deep nesting", file_with(std::string(100000, '['), 0)}};
  for (const auto& [what, bytes] : cases) EXPECT_NE(refusal(bytes), "") << what;
}

TEST(Safetensors, RoundTripIsExactAndDeterministic) {
  const test::TempDir dir;
  Weights weights = read_safetensors(test::golden("safetensors/all_dtypes.safetensors"));
  weights.metadata["text"] = "quotes \" and\nlines";
  write_safetensors(dir / "a.safetensors", weights, IfExists::kRefuse);
  write_safetensors(dir / "b.safetensors", weights, IfExists::kRefuse);
  EXPECT_EQ(file_digest(dir / "a.safetensors"), file_digest(dir / "b.safetensors"));
  const Weights back = read_safetensors(dir / "a.safetensors");
  EXPECT_EQ(back.metadata, weights.metadata);
  ASSERT_EQ(back.tensors.size(), weights.tensors.size());
  for (const auto& [name, t] : weights.tensors) {
    EXPECT_EQ(back.at(name).dtype, t.dtype);
    EXPECT_EQ(back.at(name).shape, t.shape);
    EXPECT_EQ(back.at(name).data, t.data);
  }
  EXPECT_THROW(write_safetensors(dir / "a.safetensors", weights, IfExists::kRefuse), Error);
  write_safetensors(dir / "a.safetensors", weights, IfExists::kReplace);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const test::TempDir dir;
  const MappedFile file(test::golden("safetensors/all_dtypes.safetensors"));
  for (std::size_t n = 0; n < file.size(); ++n)
    EXPECT_THROW(parse_safetensors(file.bytes().first(n), "cut"), Error) << n;
}

}  // namespace
}  // namespace likeness::model
