// Which geometry a network is trained on, from what the recipe asks and what the set's pictures are.
#pragma once

#include "core/geometry.h"
#include "data/face_source.h"
#include "train/recipe.h"

namespace likeness::train {

// Pictures are taken as they are, or warped to the answer while they are read. kData naming both geometries when the
// recipe wants the pictures as they are and their size is another, when nobody knows where the faces are, or when they
// are not square.
FaceGeometry input_geometry(const Recipe& recipe, const data::FaceSource& source);

}  // namespace likeness::train
