#include "train/input_geometry.h"

#include "core/error.h"

namespace likeness::train {

FaceGeometry input_geometry(const Recipe& recipe, const data::FaceSource& source) {
  const FaceGeometry stored = source.geometry();
  const std::string where = source.path().string();
  const bool has_landmarks = source.size() > 0 && source.landmarks(0).has_value();
  const int size = recipe.input > 0 ? recipe.input : stored.width;
  const std::string asked = std::to_string(size) + "x" + std::to_string(size);
  const bool fits = stored.width == size && stored.height == size;

  if (recipe.geometry == GeometryChoice::kArcface) return FaceGeometry::arcface(size);
  if (recipe.geometry == GeometryChoice::kAuto) {
    if (fits && stored.points) return stored;
    if (stored.points || has_landmarks) return FaceGeometry::arcface(size);
  }
  if (!fits)
    fail_data(
        {.what = "pictures are of another geometry than asked for",
         .where = where,
         .expected = asked,
         .got = stored.describe(),
         .hint =
             "set input to the pictures' size, or geometry: arcface to warp them (their five points must be known)"});
  if (!stored.points && recipe.geometry != GeometryChoice::kUnknown)
    fail_data({.what = "nobody knows where the faces are in these pictures",
               .where = where,
               .expected = "five points shared by all pictures, or landmarks",
               .got = stored.describe(),
               .hint = "import with --points or --landmarks, or say geometry: unknown to train on them all the same"});
  return stored;
}

}  // namespace likeness::train
