#include <charconv>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "data/synth_draw.h"
#include "data/synth_person.h"

namespace likeness::data::synth {
namespace {

constexpr float kDegree = static_cast<float>(std::numbers::pi / 180);

void draw_occlusion(Draw& d, Shot& s, double probability) {
  if (!d.chance(probability)) return;
  s.occlusion = static_cast<Occlusion>(1 + d.pick({1, 1, 1, 1, 1}));
  s.occlusion_place = d.between(-1, 1);
  s.occlusion_size = d.between(0, 1);
  s.occlusion_color = d.color();
}

[[noreturn]] void malformed(const std::string& text, const std::string& expected) {
  fail_usage(
      {"planted difference not understood", "--planted " + text, expected, text, "for example gender=female:blur=1.5"});
}

}  // namespace

Rng stream(std::uint64_t seed, std::int64_t identity, std::int64_t picture, Part part) {
  return Rng(seed, Purpose::kSynthetic, static_cast<std::uint64_t>(identity) + 1,
             static_cast<std::uint64_t>(picture) * 4 + static_cast<std::uint64_t>(part));
}

Shot draw_shot(std::uint64_t seed, std::int64_t identity, std::int64_t picture) {
  Draw d{stream(seed, identity, picture, Part::kShot)};
  Shot s;
  s.yaw = kDegree * d.around(0, 11);
  s.pitch = kDegree * d.around(0, 6);
  s.roll = kDegree * d.around(0, 2);
  s.smile = d.between(-0.3, 1);
  s.mouth_open = d.chance(0.3) ? d.between(0, 1) : 0.f;
  s.eyes_open = d.chance(0.05) ? d.between(0, 0.3) : d.between(0.75, 1.1);
  s.brow_raise = d.around(0, 0.03);
  s.gaze_x = d.around(0, 0.5);
  s.gaze_y = d.around(0, 0.3);
  for (Vec2& j : s.jitter) j = {d.around(0, 0.02), d.around(0, 0.02)};
  const float azimuth = d.between(0, 2 * std::numbers::pi);
  s.light_x = std::cos(azimuth);
  s.light_y = 0.7f * std::sin(azimuth) - 0.3f;  // more often from above
  s.light_strength = d.between(0.05, 0.5);
  s.exposure = d.between(0.65, 1.2);
  s.contrast = d.between(0.75, 1.2);
  const float warm = d.around(0, 0.09), green = d.around(0, 0.03);
  s.tint = {1 + warm, 1 + green, 1 - warm};
  s.grey = d.chance(0.04);
  s.background_a = mix(d.color(), {0.5f, 0.5f, 0.5f}, 0.35f);
  s.background_b = mix(d.color(), {0.5f, 0.5f, 0.5f}, 0.35f);
  s.clothes = d.color();
  s.background_seed = d.rng.next_u64();
  s.blur = d.chance(0.5) ? d.between(0, 1.5) : 0.f;
  s.noise = d.chance(0.6) ? d.between(0, 9) : 0.f;
  s.wears_glasses = d.chance(0.85);
  s.quality = static_cast<int>(d.between(72, 96));
  draw_occlusion(d, s, 0.07);
  return s;
}

Planted parse_planted(const std::string& text) {
  const char* shape = "ATTRIBUTE=VALUE:NUISANCE=STRENGTH";
  const auto colon = text.find(':'), first = text.find('='),
             second = text.find('=', colon == std::string::npos ? 0 : colon);
  if (colon == std::string::npos || first == std::string::npos || second == std::string::npos || first > colon)
    malformed(text, shape);
  Planted p{text.substr(0, first), text.substr(first + 1, colon - first - 1),
            text.substr(colon + 1, second - colon - 1), 0};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + second + 1, end, p.strength);
  if (error != std::errc() || stop != end || !(p.strength >= 0 && p.strength <= 1000))
    malformed(text, "a strength of at least 0");
  const bool known = (p.attribute == "gender" && (p.value == "female" || p.value == "male")) ||
                     (p.attribute == "age" && (p.value == "young" || p.value == "adult" || p.value == "senior")) ||
                     (p.attribute == "skin" && (p.value == "light" || p.value == "medium" || p.value == "dark"));
  if (!known) malformed(text, "gender=female|male, age=young|adult|senior or skin=light|medium|dark");
  if (p.nuisance != "blur" && p.nuisance != "noise" && p.nuisance != "pose" && p.nuisance != "occlusion")
    malformed(text, "blur, noise, pose or occlusion");
  if (p.nuisance == "occlusion" && p.strength > 1) malformed(text, "a probability");
  return p;
}

bool applies(const Planted& planted, const Person& person) {
  if (planted.attribute == "gender") return planted.value == name_of(person.gender);
  if (planted.attribute == "age") return planted.value == name_of(person.age);
  return planted.value == name_of(person.skin);
}

void plant(const Planted& planted, std::uint64_t seed, std::int64_t identity, std::int64_t picture, int size, Shot& s) {
  Draw d{stream(seed, identity, picture, Part::kPlanted)};
  const float amount = static_cast<float>(planted.strength) * d.between(0, 2);
  if (planted.nuisance == "blur") {
    const float sigma = amount * 112 / static_cast<float>(size);
    s.blur = std::sqrt(s.blur * s.blur + sigma * sigma);
  } else if (planted.nuisance == "noise") {
    s.noise = std::sqrt(s.noise * s.noise + amount * amount);
  } else if (planted.nuisance == "pose") {
    s.yaw = std::clamp(s.yaw + (d.chance(0.5) ? kDegree : -kDegree) * amount, -60 * kDegree, 60 * kDegree);
  } else if (s.occlusion == Occlusion::kNone) {
    draw_occlusion(d, s, planted.strength);
  }
}

}  // namespace likeness::data::synth
