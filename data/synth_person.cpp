#include "data/synth_person.h"

#include <cmath>

#include "data/synth_draw.h"

namespace likeness::data::synth {
namespace {

// Skin from light to dark; a person lies anywhere between two of them.
constexpr std::array<Color, 5> kSkins{{{0.96f, 0.82f, 0.73f},
                                       {0.87f, 0.68f, 0.55f},
                                       {0.73f, 0.52f, 0.38f},
                                       {0.53f, 0.35f, 0.25f},
                                       {0.34f, 0.22f, 0.16f}}};
constexpr std::array<Color, 8> kHairs{{{0.07f, 0.06f, 0.06f},
                                       {0.17f, 0.11f, 0.08f},
                                       {0.32f, 0.20f, 0.12f},
                                       {0.45f, 0.30f, 0.17f},
                                       {0.66f, 0.50f, 0.28f},
                                       {0.85f, 0.72f, 0.45f},
                                       {0.55f, 0.22f, 0.10f},
                                       {0.40f, 0.10f, 0.14f}}};
constexpr std::array<Color, 6> kIrises{{{0.16f, 0.09f, 0.05f},
                                        {0.33f, 0.19f, 0.09f},
                                        {0.48f, 0.36f, 0.16f},
                                        {0.28f, 0.45f, 0.25f},
                                        {0.25f, 0.45f, 0.68f},
                                        {0.48f, 0.54f, 0.58f}}};

void draw_colors(Draw& d, Person& p) {
  const float melanin = p.skin == Skin::kLight    ? d.between(0, 1.3)
                        : p.skin == Skin::kMedium ? d.between(1.3, 2.6)
                                                  : d.between(2.6, 4);
  const int below = std::min(3, int(melanin));
  p.skin_color = d.near(mix(kSkins[std::size_t(below)], kSkins[std::size_t(below) + 1], melanin - float(below)), 0.03);
  const bool light = p.skin == Skin::kLight;
  const int hair = light ? d.pick({2, 2, 2, 2, 2, 2, 1, 0.5}) : d.pick({6, 4, 1.5, 0.5, 0.2, 0.1, 0.1, 0.3});
  const float grey = std::clamp((p.years - 45) / 30 + d.around(0, 0.2), 0.f, 1.f);
  const Color young = d.near(kHairs[std::size_t(hair)], 0.05);
  p.hair_color = mix(young, d.near({0.78f, 0.78f, 0.78f}, 0.06), grey);
  p.brow_color = scale(mix(young, {0.6f, 0.6f, 0.6f}, 0.6f * grey), 0.75f);
  const int iris = light ? d.pick({1, 2, 2, 2, 3, 2}) : d.pick({4, 3, 1, 0.3, 0.2, 0.2});
  p.iris_color = d.near(kIrises[std::size_t(iris)], 0.05);
  const Color red = p.gender == Gender::kFemale ? Color{0.75f, 0.15f, 0.22f} : Color{0.6f, 0.25f, 0.22f};
  p.lip_color = mix(p.skin_color, red, p.gender == Gender::kFemale ? d.between(0.25, 0.8) : d.between(0.15, 0.4));
  p.glasses_color = d.near(d.chance(0.6) ? Color{0.08f, 0.08f, 0.08f} : d.color(), 0.05);
}

void draw_outline(Draw& d, Person& p, float male) {
  p.cheek = d.around(1.16 + 0.03 * male, 0.085);
  p.temple = p.cheek * d.around(0.95, 0.035);
  p.jaw = p.cheek * d.around(0.76 + 0.08 * male, 0.065);
  p.chin = d.around(0.36 + 0.07 * male, 0.07);
  p.chin_y = d.around(1.68 + 0.08 * male, 0.11);
  p.cheek_y = d.around(0.2, 0.12);
  p.jaw_y = d.around(1.08, 0.08);
  p.ear_size = d.around(0.3, 0.05);
  p.ear_out = d.around(0.07, 0.04);
}

void draw_features(Draw& d, Person& p, float male, float old) {
  p.eye_gap = d.around(0.5, 0.04);
  p.eye_width = d.around(0.225, 0.03);
  p.eye_open = d.around(0.105 - 0.012 * male - 0.012 * old, 0.023);
  p.eye_tilt = d.around(0, 0.12);
  p.iris = d.around(0.088, 0.009);
  p.lid = d.between(0, 1);
  p.eye_depth = d.between(0.05, 0.4);
  p.brow_y = d.around(-0.31 + 0.03 * male, 0.05);
  p.brow_length = d.around(0.3, 0.045);
  p.brow_thick = std::max(0.02f, d.around(0.055 + 0.028 * male, 0.021));
  p.brow_arch = d.around(0.06 - 0.03 * male, 0.04);
  p.brow_tilt = d.around(0, 0.08);
  p.nose_y = d.around(0.58, 0.07);
  p.nose_width = d.around(0.21 + 0.02 * male, 0.042);
  p.nose_bridge = d.around(0.09, 0.03);
  p.nose_tip = d.around(0.1, 0.03);
  p.nose_lift = d.around(0.35, 0.06);
  p.mouth_y = d.around(1.14, 0.07);
  p.mouth_width = d.around(0.41, 0.06);
  p.upper_lip = std::max(0.02f, d.around(0.062 - 0.012 * male - 0.01 * old, 0.021));
  p.lower_lip = std::max(0.03f, d.around(0.095 - 0.015 * male - 0.01 * old, 0.026));
  p.mouth_curve = d.around(0, 0.03);
  p.cupid = d.around(0.03, 0.02);
  p.wrinkles = std::clamp((p.years - 38) / 35 + d.around(0, 0.15), 0.f, 1.f);
  p.freckles = p.skin == Skin::kLight && d.chance(0.2) ? d.between(0.3, 1) : 0.f;
  p.blush = d.between(0, 0.3);
  for (int left = d.pick({5, 3, 2, 1}); left > 0; --left)
    p.moles.push_back({d.between(-0.9, 0.9), d.between(-0.7, 1.5), d.between(0.022, 0.05)});
}

void draw_hair(Draw& d, Person& p, bool male, float old) {
  const int style =
      male ? d.pick({0.6 + 2.5 * old, 2, 3, 2, 0.8, 1.2, 0.2, 0.5}) : d.pick({0.05, 0.2, 1, 1.5, 2, 1.6, 2, 3});
  p.hair = static_cast<Hair>(style);
  p.hairline = d.around(-0.92, 0.09) - (male ? 0.15f * old : 0.f);
  if (p.hair == Hair::kFringe) p.hairline = d.around(-0.55, 0.06);
  p.hair_volume = p.hair == Hair::kBuzz ? 0.04f : p.hair == Hair::kCurly ? d.between(0.25, 0.5) : d.between(0.1, 0.28);
  p.hair_peak = d.around(0, 0.08);
  p.parting = d.between(-0.8, 0.8);
  p.hair_phase = d.between(0, 6.28);
  p.side_length = d.between(0, 1);
  if (male && p.age != Age::kYoung) p.beard = static_cast<Beard>(d.pick({4, 2, 0.8, 1, 1.6}));
  if (male && p.age == Age::kYoung) p.beard = static_cast<Beard>(d.pick({6, 2, 0.2, 0.4, 0.4}));
  p.glasses = d.chance(0.14 + 0.16 * old);
  p.glasses_round = d.between(0, 1);
  p.glasses_size = d.between(0.27, 0.38);
  p.glasses_thick = d.between(0.02, 0.055);
}

}  // namespace

const char* name_of(Gender g) { return g == Gender::kFemale ? "female" : "male"; }
const char* name_of(Age a) { return a == Age::kYoung ? "young" : a == Age::kAdult ? "adult" : "senior"; }
const char* name_of(Skin s) { return s == Skin::kLight ? "light" : s == Skin::kMedium ? "medium" : "dark"; }

Person draw_person(std::uint64_t seed, std::int64_t identity) {
  // Epoch 0 of the purpose is for persons, epoch identity + 1 for their pictures (draw_shot).
  Draw d{Rng(seed, Purpose::kSynthetic, 0, static_cast<std::uint64_t>(identity))};
  Person p;
  p.gender = d.chance(0.5) ? Gender::kFemale : Gender::kMale;
  p.age = static_cast<Age>(d.pick({1, 1, 1}));
  p.skin = static_cast<Skin>(d.pick({1, 1, 1}));
  p.years = p.age == Age::kYoung ? d.between(18, 35) : p.age == Age::kAdult ? d.between(35, 58) : d.between(58, 80);
  const bool male = p.gender == Gender::kMale;
  const float old = std::clamp((p.years - 30) / 45, 0.f, 1.f);
  draw_colors(d, p);
  draw_outline(d, p, male);
  draw_features(d, p, male, old);
  draw_hair(d, p, male, old);
  return p;
}

}  // namespace likeness::data::synth
