// What a synthetic person is, and what one picture of them adds: parameters only, no pixels. Lengths are in eye
// distances; the origin is between the eyes, x to the picture's right, y down.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/rng.h"
#include "data/synth_raster.h"

namespace likeness::data::synth {

enum class Gender { kFemale, kMale };
enum class Age { kYoung, kAdult, kSenior };
enum class Skin { kLight, kMedium, kDark };
enum class Hair { kBald, kBuzz, kShort, kSwept, kFringe, kCurly, kBob, kLong };
enum class Beard { kNone, kStubble, kMoustache, kGoatee, kFull };

const char* name_of(Gender g);
const char* name_of(Age a);
const char* name_of(Skin s);

// Same in all pictures of a person.
struct Person {
  Gender gender{};
  Age age{};
  Skin skin{};
  float years = 30;  // 18 … 80
  Color skin_color, hair_color, brow_color, iris_color, lip_color;

  float temple = 1.1f, cheek = 1.15f, jaw = 0.9f, chin = 0.4f, chin_y = 1.75f;  // half widths at their heights
  float cheek_y = 0.2f, jaw_y = 1.1f;
  float eye_gap = 0.5f;  // half the distance of the pupils
  float eye_width = 0.23f, eye_open = 0.1f, eye_tilt = 0, iris = 0.085f, lid = 0.5f, eye_depth = 0.2f;
  float brow_y = -0.32f, brow_length = 0.3f, brow_thick = 0.06f, brow_arch = 0.05f, brow_tilt = 0;
  float nose_y = 0.58f, nose_width = 0.22f, nose_bridge = 0.1f, nose_tip = 0.1f, nose_lift = 0.35f;
  float mouth_y = 1.14f, mouth_width = 0.41f, upper_lip = 0.06f, lower_lip = 0.09f, mouth_curve = 0, cupid = 0.03f;
  float ear_size = 0.3f, ear_out = 0.06f;
  Hair hair{};
  float hairline = -0.95f, hair_volume = 0.15f, hair_peak = 0, parting = 0, hair_phase = 0, side_length = 0.1f;
  Beard beard{};
  bool glasses = false;
  float glasses_round = 0.5f, glasses_size = 0.33f, glasses_thick = 0.03f;
  Color glasses_color;
  struct Mole {
    float x, y, radius;
  };
  std::vector<Mole> moles;
  float freckles = 0, wrinkles = 0, blush = 0.1f;
};

// Person number `identity` of `seed`: a pure function.
Person draw_person(std::uint64_t seed, std::int64_t identity);

enum class Occlusion { kNone, kSunglasses, kMask, kHand, kHat, kBar };

// Different in each picture.
struct Shot {
  float yaw = 0, pitch = 0, roll = 0;  // radians; roll is what is left after alignment
  float smile = 0, mouth_open = 0, eyes_open = 1, brow_raise = 0, gaze_x = 0, gaze_y = 0;
  std::array<Vec2, 5> jitter{};  // of the detected landmarks, in eye distances
  float light_x = 0, light_y = 0, light_strength = 0.4f, exposure = 1, contrast = 1;
  Color tint{1, 1, 1};
  bool grey = false;
  Color background_a, background_b, clothes;
  std::uint64_t background_seed = 0;
  float blur = 0, noise = 0;  // sigma in pixels of a 112-pixel picture, and in grey levels
  Occlusion occlusion{};
  float occlusion_place = 0, occlusion_size = 0;
  Color occlusion_color;
  bool wears_glasses = true;
  int quality = 90;  // of the JPEG
};

// What is drawn for a picture, each from a stream of its own: a planted difference moves no other draw, so a set with
// and one without it show the same people in the same poses.
enum class Part : std::uint64_t { kShot, kPlanted, kPlace, kNoise };
Rng stream(std::uint64_t seed, std::int64_t identity, std::int64_t picture, Part part);

// Picture number `picture` of that person: a pure function.
Shot draw_shot(std::uint64_t seed, std::int64_t identity, std::int64_t picture);

// A difference planted between groups: pictures of persons whose `attribute` is `value` get more of one nuisance. Each
// picture draws its own amount uniformly from [0, 2 · strength], so that two pictures of a person differ in it.
struct Planted {
  std::string attribute, value;  // gender, age or skin, and one of its categories
  std::string
      nuisance;  // blur (pixels of the written picture), noise (grey levels), pose (degrees), occlusion (probability)
  double strength = 0;
};
// "gender=female:blur=1.5". kUsage naming what is wrong.
Planted parse_planted(const std::string& text);
bool applies(const Planted& planted, const Person& person);
// Adds it to a shot. `size` is the picture's side in pixels.
void plant(const Planted& planted, std::uint64_t seed, std::int64_t identity, std::int64_t picture, int size,
           Shot& shot);

}  // namespace likeness::data::synth
