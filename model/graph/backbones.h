// The field's backbones with arcface_torch's names and shapes.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace likeness::model {

struct BackboneOptions {
  std::string name = "mbf";   // r18 r34 r50 r100 r200 mbf mbf_large
  int input = 112;            // pixels, a multiple of 16; mbf's global depthwise kernel becomes input/16
  int embedding = 512;        // D
  double dropout = 0;         // iresnet only
};

// kUsage listing the names when unknown, or when the size is not a multiple of 16.
Graph build_backbone(const BackboneOptions& options);
std::vector<std::string> backbone_names();

}  // namespace likeness::model
