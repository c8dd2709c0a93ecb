// Paints a person in a shot: from parameters to pixels.
#pragma once

#include <cstdint>

#include "data/synth_view.h"

namespace likeness::data::synth {

// What painting functions share.
struct Scene {
  Canvas& canvas;
  const Person& person;
  const Shot& shot;
  const View& view;
};

// In the order in which they cover each other (synth_head.cpp, synth_features.cpp).
void paint_background(const Scene& scene);
void paint_behind(const Scene& scene);    // hair behind the head, neck, clothes, ears
void paint_head(const Scene& scene);      // the skin and its shades, beard
void paint_features(const Scene& scene);  // wrinkles, moles, nose, mouth, eyes, brows
void paint_hair(const Scene& scene);      // what falls over the forehead and temples
void paint_in_front(const Scene& scene);  // glasses and what hides the face

// The picture as the camera stores it: painted, lit, exposed, blurred, with noise. out: [H,W,3] u8 of the canvas' size.
// `noise` is drawn from once per value.
void render(const Person& person, const Shot& shot, const View& view, Canvas& canvas, Rng noise, std::uint8_t* out);

}  // namespace likeness::data::synth
