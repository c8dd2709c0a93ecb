// arcface_torch's Vision Transformers. Only backbones.cpp includes this.
#pragma once

#include <string>
#include <vector>

#include "model/graph/backbones.h"

namespace likeness::model {

std::vector<std::string> vit_names();
bool is_vit(const std::string& name);
// `options.name` is one of vit_names(). kUsage when the input has no place for one patch.
Graph build_vit(const BackboneOptions& options);

}  // namespace likeness::model
