// Which of the backbones a bare state dict belongs to.
#pragma once

#include <optional>

#include "model/graph/graph.h"
#include "model/graph/weights.h"

namespace likeness::model {

// The backbone, input and embedding size whose state dict has exactly these names and shapes; the first in
// backbone_names() where several do (they then differ in training only). Nothing when there is none. Input sizes are
// tried in steps of 16 up to 512 pixels, 112 first: where no tensor's shape depends on it, it is 112.
std::optional<Graph> recognise_backbone(const Weights& weights);

}  // namespace likeness::model
