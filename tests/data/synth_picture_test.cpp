// What synthetic pictures show: planted differences in the pixels, and faces where the landmarks say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/crop.h"
#include "data/synth.h"
#include "data/synth_face.h"
#include "tests/support/errors.h"
#include "tests/support/paths.h"

namespace likeness::data {
namespace {

SynthOptions small() { return {.seed = 5, .identities = 24, .pictures = 3, .size = 64, .planted = {}}; }

Image picture_of(const SynthOptions& o, std::int64_t identity, std::int64_t picture) {
  return decode(draw_picture(o, identity, picture).jpeg, "drawn");
}

// Mean squared difference of neighbours: blur lowers it, noise raises it.
double roughness(const Image& image) {
  double sum = 0;
  for (std::size_t k = 3; k < image.pixels.size(); ++k) {
    const double d = double(image.pixels[k]) - image.pixels[k - 3];
    sum += d * d;
  }
  return sum / double(image.pixels.size());
}

// Draws the 24 people with and without the difference: `measure` of those it is planted on, and whether all others are
// byte for byte as they were.
struct Effect {
  double without = 0, with = 0;
  int planted = 0;
};
template <class Measure>
Effect effect_of(const std::string& planted, Measure measure) {
  const SynthOptions plain = small();
  SynthOptions changed = plain;
  changed.planted = {synth::parse_planted(planted)};
  Effect e;
  for (std::int64_t k = 0; k < 24; ++k)
    for (std::int64_t n = 0; n < 3; ++n) {
      if (synth::applies(changed.planted[0], synth::draw_person(5, k))) {
        e.without += measure(plain, k, n);
        e.with += measure(changed, k, n);
        ++e.planted;
      } else {
        EXPECT_EQ(draw_picture(plain, k, n).jpeg, draw_picture(changed, k, n).jpeg)
            << "a person it is not planted on changed";
      }
    }
  EXPECT_GT(e.planted, 10);
  EXPECT_LT(e.planted, 62);
  return e;
}

double rough(const SynthOptions& o, std::int64_t k, std::int64_t n) { return roughness(picture_of(o, k, n)); }

TEST(SynthPlanted, BlurTakesDetailFromOneGroupOnly) {
  const Effect e = effect_of("gender=female:blur=1.5", rough);
  EXPECT_LT(e.with, 0.6 * e.without);
  const Effect none = effect_of("gender=male:blur=0", rough);
  EXPECT_EQ(none.with, none.without);
}

TEST(SynthPlanted, NoiseAddsItsVariance) {
  const Effect e = effect_of("skin=dark:noise=20", rough);
  // Amounts are uniform in [0, 40): mean square 533 for each of the two neighbours; JPEG and clipping take some.
  EXPECT_GT((e.with - e.without) / e.planted, 400);
  EXPECT_LT((e.with - e.without) / e.planted, 1200);
}

TEST(SynthPlanted, PoseMovesTheNose) {
  const auto nose = [](const SynthOptions& o, std::int64_t k, std::int64_t n) {
    const Landmarks l = draw_picture(o, k, n).landmarks;
    return std::abs(l[2].x - 0.5 * (l[0].x + l[1].x));
  };
  const Effect e = effect_of("age=senior:pose=20", nose);
  EXPECT_GT(e.with, 1.3 * e.without);
}

TEST(SynthPlanted, OcclusionCoversMoreFaces) {
  const auto p = synth::parse_planted("gender=male:occlusion=0.5");
  int before = 0, after = 0;
  constexpr int shots = 2000;
  for (int n = 0; n < shots; ++n) {
    synth::Shot shot = synth::draw_shot(1, 0, n);
    before += shot.occlusion != synth::Occlusion::kNone;
    synth::plant(p, 1, 0, n, 64, shot);
    after += shot.occlusion != synth::Occlusion::kNone;
  }
  EXPECT_NEAR(before, 0.07 * shots, 5 * std::sqrt(0.065 * shots));
  EXPECT_NEAR(after, 0.535 * shots, 5 * std::sqrt(0.25 * shots));  // 0.07 and half of the rest
}

TEST(SynthPlanted, TextIsUnderstoodOrRefused) {
  const auto p = synth::parse_planted("gender=female:blur=1.5");
  EXPECT_EQ(p.attribute, "gender");
  EXPECT_EQ(p.value, "female");
  EXPECT_EQ(p.nuisance, "blur");
  EXPECT_EQ(p.strength, 1.5);
  for (const char* bad :
       {"", "gender", "gender=female", "gender=female:blur", "gender=female:blur=", "gender=female:blur=x",
        "gender=female:blur=1x", "gender=female:blur=-1", "gender=other:blur=1", "height=tall:blur=1",
        "gender=female:fog=1", "blur=1:gender=female", "gender=female:blur=nan", "gender=female:occlusion=2"})
    EXPECT_EQ(test::error_of([&] { synth::parse_planted(bad); }).kind(), ErrorKind::kUsage) << bad;
}

TEST(SynthGeometry, AlignedFacesLieOnTheTemplate) {
  const FaceGeometry geometry = FaceGeometry::arcface(112);
  auto o = small();
  o.size = 112;
  double sum_x = 0, sum_y = 0, worst = 0;
  for (std::int64_t k = 0; k < 24; ++k)
    for (std::int64_t n = 0; n < 3; ++n) {
      const Landmarks l = draw_picture(o, k, n).landmarks;
      // What is left of a least squares alignment once the detector's own error (0.7 pixel) is in it.
      const auto rest = estimate_similarity(l, *geometry.points);
      ASSERT_TRUE(rest.has_value());
      EXPECT_NEAR(rest->a, 1, 0.08);
      EXPECT_NEAR(rest->b, 0, 0.08);
      for (std::size_t p = 0; p < 5; ++p) {
        sum_x += l[p].x - (*geometry.points)[p].x;
        sum_y += l[p].y - (*geometry.points)[p].y;
        worst =
            std::max({worst, std::abs(l[p].x - (*geometry.points)[p].x), std::abs(l[p].y - (*geometry.points)[p].y)});
      }
    }
  EXPECT_NEAR(sum_x / 360, 0, 0.3);
  EXPECT_NEAR(sum_y / 360, 0, 0.3);
  EXPECT_LT(worst, 15);
}

// A calm shot: whatever the landmarks say must be seen in the pixels.
synth::Shot calm() {
  synth::Shot s;
  s.light_strength = 0;
  s.background_a = s.background_b = {0.5f, 0.5f, 0.5f};
  return s;
}

TEST(SynthGeometry, PupilsAreWhereTheLandmarksSay) {
  for (std::int64_t k = 0; k < 40; ++k) {
    synth::Person person = synth::draw_person(2, k);
    person.glasses = false;
    synth::Shot shot = calm();
    shot.yaw = 0.02f * float(k - 20);
    shot.pitch = 0.01f * float(k % 7 - 3);
    constexpr int side = 256;
    const auto view =
        synth::View::free(person, shot, side, 80, Rng(3, Purpose::kTest, 0, static_cast<std::uint64_t>(k)));
    synth::Canvas canvas(side, side);
    std::vector<std::uint8_t> pixels(side * side * 3);
    synth::render(person, shot, view, canvas, Rng(0, Purpose::kTest), pixels.data());
    const auto brightness = [&](Point p) {
      const auto x = std::lround(p.x), y = std::lround(p.y);
      const std::uint8_t* q = &pixels[static_cast<std::size_t>(3 * (y * side + x))];
      return int(std::max({q[0], q[1], q[2]}));
    };
    for (int eye : {0, 1}) {
      const Point pupil = view.landmarks()[static_cast<std::size_t>(eye)];
      EXPECT_LT(brightness(pupil), 60) << "person " << k << " eye " << eye;
      // The white of the eye, four fifths of the way to the outer corner.
      const synth::Vec2 white = view.surface((eye ? 1.f : -1.f) * (person.eye_gap + 0.72f * person.eye_width),
                                             -0.72f * person.eye_width * person.eye_tilt);
      EXPECT_GT(brightness({white.x, white.y}), 120) << "person " << k << " eye " << eye;
    }
  }
}

TEST(SynthGeometry, UnalignedFacesComeWithLandmarksThatAlignThem) {
  const test::TempDir dir;
  auto o = small();
  o.unaligned = true;
  write_synthetic(dir / "set.faces.h5", IfExists::kRefuse, o);
  const auto set = open_faces(dir / "set.faces.h5");
  EXPECT_FALSE(set->geometry().points.has_value());
  EXPECT_EQ(set->geometry().width, 96);
  const auto drawn = draw_picture(o, 3, 1);
  const auto stored = set->landmarks(10);
  ASSERT_TRUE(stored.has_value());
  for (std::size_t p = 0; p < 5; ++p) {
    EXPECT_NEAR((*stored)[p].x, drawn.landmarks[p].x, 1e-4);
    EXPECT_NEAR((*stored)[p].y, drawn.landmarks[p].y, 1e-4);
  }
  // The same shot, aligned by the painter and by the reader: alike but for the detector's error, which the painter
  // includes.
  auto aligned = o;
  aligned.unaligned = false;
  CropReader reader(*set, FaceGeometry::arcface(64));
  std::vector<std::uint8_t> crop(64 * 64 * 3);
  double difference = 0, chance = 0;
  for (std::int64_t i = 0; i < set->size(); ++i) {
    reader.read(i, crop.data());
    const Image same = picture_of(aligned, i / 3, i % 3), other = picture_of(aligned, (i / 3 + 1) % 24, i % 3);
    for (std::size_t k = 0; k < crop.size(); ++k) {
      difference += std::abs(int(crop[k]) - int(same.pixels[k]));
      chance += std::abs(int(crop[k]) - int(other.pixels[k]));
    }
  }
  EXPECT_LT(difference, 0.5 * chance);
}

}  // namespace
}  // namespace likeness::data
