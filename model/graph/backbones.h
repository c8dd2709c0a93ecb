// The field's backbones with arcface_torch's names and shapes.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace likeness::model {

struct BackboneOptions {
  // r18 r34 r50 r100 r200 mbf mbf_large vit_t vit_s vit_b vit_l, and the latter four as arcface_torch's recipes name
  // them: vit_t_dp005_mask0 vit_s_dp005_mask_0 vit_b_dp005_mask_005 vit_l_dp005_mask_005
  std::string name = "mbf";
  // pixels, a multiple of 16 (mbf's global depthwise kernel becomes input/16); ViT: any from 9, one patch, on
  int input = 112;
  int embedding = 512;  // D
  double dropout = 0;   // iresnet only, in front of its Linear
  bool operator==(const BackboneOptions&) const = default;
};

// kUsage listing the names when unknown, or naming the size or option that the backbone cannot have.
Graph build_backbone(const BackboneOptions& options);
std::vector<std::string> backbone_names();

// The form in which model files carry the options: {"name":"mbf","input":112,"embedding":512,"dropout":0.0}.
std::string backbone_json(const BackboneOptions& options);
// kData naming `where` when it is not such an object.
BackboneOptions backbone_from_json(const std::string& json, const std::string& where);
// What build_backbone was given for `graph`; kUsage for a graph that build_backbone did not make.
BackboneOptions backbone_options(const Graph& graph);

}  // namespace likeness::model
