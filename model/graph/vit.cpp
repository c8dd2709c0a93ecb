// arcface_torch's Vision Transformers.
#include <algorithm>
#include <string>

#include "core/error.h"
#include "model/graph/backbone_table.h"

namespace likeness::model {
namespace {

// `drop_path`: stochastic depth of the last block, growing from 0 at the first. `mask`: fraction of tokens that a
// training step leaves out. The names that end in mask_005 leave out 0.1 nevertheless: arcface_torch calls its masking
// without the ratio, so 0.1 is what its published weights were trained with.
struct Vit {
  const char* name;
  int width, depth;
  double drop_path, mask;
};
constexpr Vit kVits[] = {{"vit_t", 256, 12, 0.1, 0.1}, {"vit_t_dp005_mask0", 256, 12, 0.05, 0},
                         {"vit_s", 512, 12, 0.1, 0.1}, {"vit_s_dp005_mask_0", 512, 12, 0.05, 0},
                         {"vit_b", 512, 24, 0.1, 0.1}, {"vit_b_dp005_mask_005", 512, 24, 0.05, 0.1},
                         {"vit_l", 768, 24, 0.1, 0.1}, {"vit_l_dp005_mask_005", 768, 24, 0.05, 0.1}};

// Patches do not overlap and do not reach beyond the picture: of 112 pixels the last 4 are never seen.
constexpr int kPatch = 9, kHeads = 8;

int block(GraphBuilder& g, const std::string& p, int x, int width, double drop_path) {
  int y = g.layer_norm(p + ".norm1", x);
  y = g.linear(p + ".attn.qkv", y, 3 * width, false);
  y = g.attention(p + ".attn.heads", y, kHeads);
  y = g.linear(p + ".attn.proj", y, width, true);
  if (drop_path > 0) y = g.dropout(p + ".drop_path1", y, drop_path, /*whole=*/true);
  x = g.add(p + ".add1", x, y);
  y = g.layer_norm(p + ".norm2", x);
  y = g.linear(p + ".mlp.fc1", y, 4 * width, true);
  y = g.relu6(p + ".mlp.act", y);
  y = g.linear(p + ".mlp.fc2", y, width, true);
  if (drop_path > 0) y = g.dropout(p + ".drop_path2", y, drop_path, /*whole=*/true);
  return g.add(p + ".add2", x, y);
}

// A state dict is in the order in which modules were made, not that in which they run.
void move_before(std::vector<TensorSpec>& tensors, const std::string& moved, const std::string& before) {
  const auto named = [](const std::string& start) {
    return [start](const TensorSpec& t) { return t.name.starts_with(start); };
  };
  const auto target = std::find_if(tensors.begin(), tensors.end(), named(before));
  const auto first = std::find_if(target, tensors.end(), named(moved));
  const auto last = std::find_if_not(first, tensors.end(), named(moved));
  LIKENESS_ASSERT(target != tensors.end() && first != last);
  std::rotate(target, first, last);
}

}  // namespace

Graph build_vit(const BackboneOptions& options) {
  const Vit& vit = variant_of(kVits, options.name);
  GraphBuilder g(vit.name, options.input, options.input);
  int x =
      g.conv("patch_embed.proj", g.input(), {.channels = vit.width, .kernel = kPatch, .stride = kPatch, .bias = true});
  x = g.tokens("patch_embed.tokens", x);
  x = g.positions("positions", "pos_embed", x);
  const int masked = g.mask_tokens("mask", x, vit.mask);
  x = masked;
  for (int i = 0; i < vit.depth; ++i) {
    x = block(g, "blocks." + std::to_string(i), x, vit.width, vit.drop_path * i / (vit.depth - 1));
  }
  x = g.layer_norm("norm", x);
  x = g.restore_tokens("restore", "mask_token", x, masked);
  x = g.flatten("flatten", x);
  x = g.linear("feature.0", x, vit.width, false);
  x = g.batch_norm("feature.1", x, 2e-5);
  x = g.linear("feature.2", x, options.embedding, false);
  x = g.batch_norm("feature.3", x, 2e-5);
  Graph graph = g.finish(x);
  move_before(graph.tensors, "mask_token", "patch_embed.");
  move_before(graph.tensors, "pos_embed", "mask_token");
  for (int i = 0; i < vit.depth; ++i) {
    const std::string p = "blocks." + std::to_string(i);
    move_before(graph.tensors, p + ".norm2.", p + ".attn.");
  }
  return graph;
}

}  // namespace likeness::model
