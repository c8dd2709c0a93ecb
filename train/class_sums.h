// What a network makes of each identity of a set.
#pragma once

#include <vector>

#include "data/face_source.h"
#include "engine/engine.h"
#include "train/head/classes.h"

namespace likeness::train {

// For the classes of `range` that are `wanted` ([range.count]): the sum of the embeddings of each one's pictures, each
// of length 1, [range.count,D]. A class without pictures that can be read has zeros. One evaluation of those pictures,
// with a progress line of its own. `skip_bad` as engine::embed's. Errors as engine::embed.
std::vector<float> class_sums(engine::Engine& network, const data::FaceSource& source, const ClassRange& range,
                              const std::vector<bool>& wanted, int threads, bool skip_bad);

}  // namespace likeness::train
