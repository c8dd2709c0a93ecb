// Small sets of made-up pictures, and the errors they should give.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/crop.h"
#include "tests/support/paths.h"

namespace likeness::test {

using Bytes = std::vector<std::byte>;

// A JPEG of smooth colours that differ with `seed`.
inline Bytes small_jpeg(int seed, int width = 32, int height = 32) {
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        rgb.push_back(static_cast<std::uint8_t>((x * (3 + c) + y * (2 + seed % 5) + 40 * seed) & 0xff));
  return data::encode_jpeg(rgb.data(), width, height, 90);
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good()) << path;
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  write_bytes(path, std::as_bytes(std::span(text)));
}

inline Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  Bytes out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}

// One record as MXNet packs it, whole; the payload must not hold the magic at an aligned place.
inline Bytes record(float label, std::uint64_t id, std::span<const std::byte> body,
                    const std::vector<float>& labels = {}) {
  std::string payload;
  auto put = [&](const auto& value) { payload.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(static_cast<std::uint32_t>(labels.size()));
  put(label);
  put(id);
  put(std::uint64_t{0});
  for (const float l : labels) put(l);
  payload.append(reinterpret_cast<const char*>(body.data()), body.size());
  std::string out;
  const std::uint32_t head[2] = {0xced7230a, static_cast<std::uint32_t>(payload.size())};
  out.append(reinterpret_cast<const char*>(head), sizeof head);
  out += payload;
  out.resize((out.size() + 3) / 4 * 4, '\0');
  Bytes bytes(out.size());
  std::memcpy(bytes.data(), out.data(), out.size());
  return bytes;
}

// train.rec and train.idx without a header record; picture i has key i and label labels[i].
inline void write_records(
    const std::filesystem::path& folder, const std::vector<float>& labels,
    const std::function<Bytes(int)>& picture = [](int i) { return small_jpeg(i); }) {
  Bytes rec;
  std::string idx;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    idx += std::to_string(i) + "\t" + std::to_string(rec.size()) + "\n";
    const Bytes r = record(labels[i], i, picture(static_cast<int>(i)));
    rec.insert(rec.end(), r.begin(), r.end());
  }
  write_bytes(folder / "train.rec", rec);
  write_text(folder / "train.idx", idx);
}

// A folder with `people` identities of `each` pictures.
inline void write_folder(const std::filesystem::path& folder, int people, int each, int size = 32) {
  for (int p = 0; p < people; ++p)
    for (int k = 0; k < each; ++k)
      write_bytes(folder / ("person" + std::to_string(p)) / (std::to_string(k) + ".jpg"),
                  small_jpeg(10 * p + k, size, size));
}

// What `body` throws; a test failure when it throws nothing or something else.
inline ErrorParts error_of(ErrorKind kind, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), static_cast<int>(kind)) << e.what();
    return e.parts();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "another exception: " << e.what();
    return {};
  }
  ADD_FAILURE() << "no error";
  return {};
}

inline void expect_part(const std::string& part, const std::string& text) {
  EXPECT_NE(part.find(text), std::string::npos) << "\"" << part << "\" lacks \"" << text << "\"";
}

// Files in a folder and below, hidden ones too.
inline std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).generic_string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace likeness::test
