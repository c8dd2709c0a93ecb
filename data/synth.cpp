#include "data/synth.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"
#include "data/crop.h"
#include "data/sampler.h"
#include "data/synth_face.h"

namespace likeness::data {
namespace {

constexpr double kEyeDistance = 35.24 / 112;  // of the field's template, in sides of the picture
constexpr double kFreeSide = 1.5;             // sides of the aligned picture in one of an unaligned
constexpr std::size_t kChunk = 1024;          // pictures held in memory before they are written

// Bumped when the same options give other pictures; written into the container.
constexpr int kGenerator = 1;

std::string planted_text(const synth::Planted& p) {
  nlohmann::json strength = p.strength;
  return p.attribute + "=" + p.value + ":" + p.nuisance + "=" + strength.dump();
}

std::string provenance(const SynthOptions& o) {
  nlohmann::json planted = nlohmann::json::array();
  for (const auto& p : o.planted) planted.push_back(planted_text(p));
  return nlohmann::json{
      {"source", "synthetic"},      {"generator", kGenerator}, {"seed", o.seed}, {"first_identity", o.first_identity},
      {"identities", o.identities}, {"pictures", o.pictures},  {"size", o.size}, {"unaligned", o.unaligned},
      {"planted", planted}}
      .dump();
}

int side_of(const SynthOptions& o) { return o.unaligned ? static_cast<int>(std::lround(kFreeSide * o.size)) : o.size; }

template <class Integer>
std::string numbered(const char* format, Integer n) {  // n is a long long or unsigned long long for `format`
  char text[32];
  std::snprintf(text, sizeof text, format, n);
  return text;
}

}  // namespace

void check_options(const SynthOptions& o) {
  const auto check = [](bool good, const char* what, const char* expected, std::int64_t got) {
    if (!good) fail_usage({std::string(what) + " out of range", "synthetic faces", expected, std::to_string(got), ""});
  };
  check(o.identities >= 1 && o.identities <= 100'000'000, "number of identities", "1 … 100,000,000", o.identities);
  check(o.first_identity >= 0 && o.first_identity <= 1'000'000'000, "first identity", "0 … 1,000,000,000",
        o.first_identity);
  check(o.pictures >= 1 && o.pictures <= 100'000, "pictures of an identity", "1 … 100,000", o.pictures);
  check(o.size >= 32 && o.size <= 1024, "size", "32 … 1024 pixels", o.size);
}

std::string synth_identity_name(std::uint64_t seed, std::int64_t identity) {
  return numbered("s%llu", static_cast<unsigned long long>(seed)) +
         numbered("-%06lld", static_cast<long long>(identity));
}

std::string synth_key(std::uint64_t seed, std::int64_t identity, std::int64_t picture) {
  return synth_identity_name(seed, identity) + numbered("/%03lld.jpg", static_cast<long long>(picture));
}

SynthPicture draw_picture(const SynthOptions& o, std::int64_t identity, std::int64_t picture) {
  const synth::Person person = synth::draw_person(o.seed, identity);
  synth::Shot shot = synth::draw_shot(o.seed, identity, picture);
  for (const auto& planted : o.planted)
    if (synth::applies(planted, person)) synth::plant(planted, o.seed, identity, picture, o.size, shot);
  const int side = side_of(o);
  const synth::View view = o.unaligned
                               ? synth::View::free(person, shot, side, kEyeDistance * o.size,
                                                   synth::stream(o.seed, identity, picture, synth::Part::kPlace))
                               : synth::View::aligned(person, shot, FaceGeometry::arcface(o.size));
  synth::Canvas canvas(side, side);
  std::vector<std::uint8_t> pixels(std::size_t{3} * static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  synth::render(person, shot, view, canvas, synth::stream(o.seed, identity, picture, synth::Part::kNoise),
                pixels.data());
  return {encode_jpeg(pixels.data(), side, side, shot.quality), view.landmarks(), side};
}

std::vector<FaceSource::Pair> draw_pairs(const SynthOptions& o, std::int64_t count) {
  if (o.identities < 2 * kSynthFolds || o.pictures < 2)
    fail_usage({"too few faces for verification pairs", "synthetic faces", "20 identities of 2 pictures",
                std::to_string(o.identities) + " identities of " + std::to_string(o.pictures) + " pictures",
                "leave --pairs out, or ask for more"});
  const std::int64_t each = count / (2 * kSynthFolds);
  if (each < 1) fail_usage({"too few pairs", "synthetic faces", "at least 20", std::to_string(count), ""});
  const std::uint64_t seed = Rng(o.seed, Purpose::kSynthetic, 0, ~std::uint64_t{0}).next_u64();
  const std::int64_t k = o.pictures, pairs_of_one = k * (k - 1) / 2;
  // As many of each kind in every fold as the smallest fold has, so that ten equal slices of the list are the folds.
  const std::int64_t fewest = o.identities / kSynthFolds;
  const std::int64_t wanted = std::min({each, fewest * pairs_of_one, fewest * (fewest - 1) / 2 * k * k});
  std::vector<FaceSource::Pair> pairs;
  for (std::int64_t fold = 0; fold < kSynthFolds; ++fold) {
    const std::int64_t first = o.identities * fold / kSynthFolds,
                       people = o.identities * (fold + 1) / kSynthFolds - first;
    const auto nth = [&](std::int64_t n, std::int64_t of, bool same) {  // entry n of a random order of `of` things
      return static_cast<std::int64_t>(permute(static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(of), seed,
                                               static_cast<std::uint64_t>(2 * fold + same)));
    };
    for (std::int64_t n = 0; n < wanted; ++n) {
      const std::int64_t code = nth(n, people * pairs_of_one, true);
      const std::int64_t person = (first + code / pairs_of_one) * k;
      std::int64_t a = 0, b = code % pairs_of_one + 1;  // the b-th of the pairs (0,1) (0,2) … (1,2) …
      while (a + b >= k) b -= k - 1 - a++;
      pairs.push_back({person + a, person + a + b, true});
    }
    const std::int64_t faces = people * k;
    for (std::int64_t n = 0, found = 0; found < wanted; ++n) {
      const std::int64_t code = nth(n, faces * faces, false), a = code / faces, b = code % faces;
      if (a >= b || a / k == b / k) continue;
      pairs.push_back({first * k + a, first * k + b, false});
      ++found;
    }
  }
  return pairs;
}

std::string pairs_csv(const SynthOptions& o, const std::vector<FaceSource::Pair>& pairs) {
  std::string text = "a,b,label,fold\n";
  const auto key = [&](std::int64_t i) { return synth_key(o.seed, o.first_identity + i / o.pictures, i % o.pictures); };
  for (const auto& pair : pairs) {
    const std::int64_t identity = pair.a / o.pictures;
    // The fold whose range [identities·f/10, identities·(f+1)/10) holds the identity.
    const std::int64_t fold = ((identity + 1) * kSynthFolds - 1) / o.identities;
    text += key(pair.a) + "," + key(pair.b) + (pair.same ? ",1," : ",0,") + std::to_string(fold) + "\n";
  }
  return text;
}

WrittenFaces write_synthetic(const std::filesystem::path& path, IfExists if_exists, const SynthOptions& o,
                             std::vector<FaceSource::Pair> pairs, const std::function<void(std::uint64_t)>& progress) {
  check_options(o);
  const std::int64_t total = o.identities * o.pictures;
  const int threads = resolve_threads(o.threads);
  return write_faces(path, if_exists, std::nullopt, [&](FacesWriter& writer) {
    FacesMeta meta;
    const int side = side_of(o);
    meta.geometry = o.unaligned ? FaceGeometry::unknown(side, side) : FaceGeometry::arcface(o.size);
    meta.pairs = std::move(pairs);
    meta.provenance = provenance(o);
    AttributeColumn gender{"gender", {"female", "male"}, {}}, age{"age", {"young", "adult", "senior"}, {}},
        skin{"skin", {"light", "medium", "dark"}, {}};
    for (std::int64_t k = 0; k < o.identities; ++k) {
      const std::int64_t identity = o.first_identity + k;
      meta.identity_names.push_back(synth_identity_name(o.seed, identity));
      const synth::Person person = synth::draw_person(o.seed, identity);
      const auto pictures = static_cast<std::size_t>(o.pictures);
      gender.codes.insert(gender.codes.end(), pictures, gender.code_of(name_of(person.gender)));
      age.codes.insert(age.codes.end(), pictures, age.code_of(name_of(person.age)));
      skin.codes.insert(skin.codes.end(), pictures, skin.code_of(name_of(person.skin)));
    }
    meta.attributes.columns = {std::move(gender), std::move(age), std::move(skin)};

    std::vector<SynthPicture> chunk;
    for (std::int64_t begin = 0; begin < total; begin += kChunk) {
      chunk.resize(static_cast<std::size_t>(std::min<std::int64_t>(kChunk, total - begin)));
      parallel_for(chunk.size(), 8, threads, [&](std::size_t from, std::size_t to) {
        throw_if_stopped();
        for (std::size_t n = from; n < to; ++n) {
          const std::int64_t i = begin + static_cast<std::int64_t>(n);
          chunk[n] = draw_picture(o, o.first_identity + i / o.pictures, i % o.pictures);
        }
        if (progress) progress(to - from);
      });
      for (std::size_t n = 0; n < chunk.size(); ++n) {
        const std::int64_t i = begin + static_cast<std::int64_t>(n);
        FaceEntry entry{
            i / o.pictures, {side, side}, synth_key(o.seed, o.first_identity + i / o.pictures, i % o.pictures), {}};
        if (o.unaligned) entry.landmarks = chunk[n].landmarks;
        writer.add(chunk[n].jpeg, std::move(entry));
      }
    }
    return meta;
  });
}

}  // namespace likeness::data
