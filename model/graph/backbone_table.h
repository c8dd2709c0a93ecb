// The backbones there are, one line of a table each; docs/add-a-backbone.md adds one.
#pragma once

#include <span>
#include <string>

#include "model/graph/backbones.h"

namespace likeness::model {

// Which values its matrices start from (initial_weights in weights.h).
enum class Start { kHe, kIResNet, kVit };

struct BackboneEntry {
  const char* name;
  // Called with options that are within the bounds below. Names and order of its tensors are those of the state dict.
  Graph (*build)(const BackboneOptions& options);
  Start start = Start::kHe;
  bool has_dropout = false;                  // options.dropout may be above 0
  int smallest_input = 16, input_step = 16;  // pixels: what the side is a multiple of, the largest being 1024
};

std::span<const BackboneEntry> backbone_table();
// nullptr for a name that is not in the table: a foreign file's network, for one.
const BackboneEntry* find_backbone(const std::string& name);

Graph build_iresnet(const BackboneOptions& options);        // iresnet.cpp
Graph build_mobilefacenet(const BackboneOptions& options);  // mobilefacenet.cpp
Graph build_vit(const BackboneOptions& options);            // vit.cpp

// The line of a builder's own table that has this name; build_backbone has checked that there is one.
template <class Variant, std::size_t N>
const Variant& variant_of(const Variant (&variants)[N], const std::string& name) {
  std::size_t i = 0;
  while (i + 1 < N && name != variants[i].name) ++i;
  return variants[i];
}

}  // namespace likeness::model
