// The backbone of docs/add-a-backbone.md, as printed there.
#include "model/graph/backbone_table.h"

namespace likeness::model {
Graph build_plain(const BackboneOptions& o);  // as backbone_table.h would say
}

// clang-format off
namespace likeness::model {

Graph build_plain(const BackboneOptions& o) {
  GraphBuilder g(o.name, o.input, o.input);
  int x = g.input();
  for (int stage = 0; stage < 4; ++stage) {
    const std::string p = "stages." + std::to_string(stage);
    x = g.conv(p + ".conv1", x, {.channels = 32 << stage, .kernel = 3, .stride = 2, .padding = 1});
    x = g.batch_norm(p + ".bn1", x);
    x = g.prelu(p + ".prelu1", x);
    int y = g.conv(p + ".conv2", x, {.channels = 32 << stage, .kernel = 3, .padding = 1});
    y = g.batch_norm(p + ".bn2", y);
    x = g.add(p + ".add", y, x);
  }
  x = g.flatten("flatten", x);
  x = g.linear("fc", x, o.embedding, false);
  x = g.batch_norm("features", x);
  return g.finish(x);
}

}  // namespace likeness::model
