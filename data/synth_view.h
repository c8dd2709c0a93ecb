// Where a face lies in a picture: from eye distances on a head that is turned, to pixels.
#pragma once

#include "core/geometry.h"
#include "core/rng.h"
#include "data/synth_person.h"

namespace likeness::data::synth {

class View {
 public:
  // The picture that alignment makes of this shot: the similarity from the (jittered) landmarks to the geometry's
  // points.
  static View aligned(const Person& person, const Shot& shot, const FaceGeometry& geometry);
  // A picture of `side` x `side` pixels in which the face stands as a camera saw it: about `eye_distance` pixels
  // between the eyes, somewhere near the middle, tilted up to 25 degrees.
  static View free(const Person& person, const Shot& shot, int side, double eye_distance, Rng rng);

  // A point of the face: (x, y) on the head's surface seen from the front, lifted by `lift` towards the viewer.
  Vec2 surface(float x, float y, float lift = 0) const;
  // A point of the silhouette, which turning leaves in place.
  Vec2 outline(float x, float y) const;
  // Back from pixels to the plane of the silhouette: for light, which belongs to the head and not to the picture.
  Vec2 head_plane(Vec2 pixel) const;
  float scale() const { return scale_; }  // pixels per eye distance
  // Pupils, tip of the nose, corners of the mouth: true positions in pixels.
  const Landmarks& landmarks() const { return landmarks_; }

 private:
  View(const Person& person, const Shot& shot);
  void place(const Similarity& similarity);
  Vec2 turned(float x, float y, float lift) const;
  Landmarks face_points(const Person& person, const Shot& shot) const;  // in eye distances
  Vec2 pixel(Vec2 p) const;

  float cos_yaw_, sin_yaw_, cos_pitch_, sin_pitch_, width_;
  Similarity to_pixels_, to_face_;
  float scale_ = 1;
  Landmarks face_points_, landmarks_;
};

// Half the mouth's width and how far its corners are raised, smile included.
Vec2 mouth_corner(const Person& person, const Shot& shot);

}  // namespace likeness::data::synth
