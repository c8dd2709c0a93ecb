// A folder of small pictures of a few people, enough to train a toy on.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "data/crop.h"
#include "tests/support/errors.h"

namespace likeness::test {

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_text_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string person_name(int p) { return std::string("p").append(std::to_string(10 + p)); }

// <folder>/p10/0.jpg …: each person has a colour and a pattern of their own.
inline std::filesystem::path make_toy_set(const std::filesystem::path& folder, int people = 4, int pictures = 5,
                                          int side = 16) {
  for (int p = 0; p < people; ++p) {
    const std::filesystem::path person = folder / person_name(p);
    std::filesystem::create_directories(person);
    for (int k = 0; k < pictures; ++k) {
      Rng own(7, Purpose::kTest, 0, static_cast<std::uint64_t>(p)),
          noise(7, Purpose::kTest, 1, static_cast<std::uint64_t>(100 * p + k));
      std::vector<std::uint8_t> rgb;
      for (int i = 0; i < side * side * 3; ++i)
        rgb.push_back(static_cast<std::uint8_t>(own.below(200) + noise.below(50)));
      const auto jpeg = data::encode_jpeg(rgb.data(), side, side, 90);
      write_text(person / (std::to_string(k) + ".jpg"),
                 std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size()));
    }
  }
  return folder;
}

// A recipe for it: 5 batches of 4 an epoch.
inline std::string toy_recipe(const std::filesystem::path& data, int steps) {
  return "data: " + data.string() + "\ngeometry: unknown\ninput: 16\nbatch: 4\nsteps: " + std::to_string(steps) +
         "\nbackbone: {name: mbf, embedding: 16}\nhead: {scale: 16}\nlog_every: 2\n";
}

}  // namespace likeness::test
