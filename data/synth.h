// Sets of synthetic faces: procedural people whose attributes, landmarks and nuisances are known exactly, so that every
// stage can be tried without real people's pictures and a bias report has a right answer. See docs/data-synthetic.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "core/file.h"
#include "data/faces_file.h"
#include "data/synth_person.h"

namespace likeness::data {

struct SynthOptions {
  std::uint64_t seed = 0;
  std::int64_t first_identity = 0;  // sets whose ranges do not meet, or of different seeds, share no person
  std::int64_t identities = 100;
  std::int64_t pictures = 10;  // of each identity
  int size = 112;              // side of the aligned picture in pixels
  bool unaligned = false;      // as a camera saw them, side 1.5 size, landmarks stored; else aligned to arcface(size)
  std::vector<synth::Planted> planted;
  int threads = 0;  // 0: all cores; the set does not depend on it
};

// kUsage naming the option that is out of range.
void check_options(const SynthOptions& options);

// Picture `picture` of person `identity`, as JPEG, with its true landmarks in pixels. A pure function, safe from many
// threads.
struct SynthPicture {
  std::vector<std::byte> jpeg;
  Landmarks landmarks;
  int side = 0;
};
SynthPicture draw_picture(const SynthOptions& options, std::int64_t identity, std::int64_t picture);

// "s7-000123" and "s7-000123/004.jpg".
std::string synth_identity_name(std::uint64_t seed, std::int64_t identity);
std::string synth_key(std::uint64_t seed, std::int64_t identity, std::int64_t picture);

// Ten folds of different people with as many genuine as impostor pairs, no pair twice; genuine pairs lead in each fold,
// folds are contiguous. At most `count` pairs; fewer where the set has no more. Indices are those of
// write_synthetic()'s pictures. kUsage: fewer than 20 identities, or one picture each.
inline constexpr int kSynthFolds = 10;
std::vector<FaceSource::Pair> draw_pairs(const SynthOptions& options, std::int64_t count);
// "a,b,label,fold" with keys, one line a pair.
std::string pairs_csv(const SynthOptions& options, const std::vector<FaceSource::Pair>& pairs);

// Writes the container; pictures of identity k lie at [k·pictures, (k+1)·pictures). `pairs` are stored with it.
// `progress` is called with numbers of finished pictures. Errors: check_options(), write_faces(), Interrupted.
WrittenFaces write_synthetic(const std::filesystem::path& path, IfExists if_exists, const SynthOptions& options,
                             std::vector<FaceSource::Pair> pairs = {},
                             const std::function<void(std::uint64_t)>& progress = {});

}  // namespace likeness::data
