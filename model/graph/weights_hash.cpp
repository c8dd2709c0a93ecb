#include <span>

#include "core/file.h"
#include "model/graph/weights.h"

namespace likeness::model {

std::string weights_hash(const Graph& graph, const Weights& weights) {
  Digest digest;
  for (const TensorSpec& spec : graph.tensors) {
    if (spec.training_only) continue;
    const WeightTensor& t = weights.at(spec.name);
    digest.add(spec.name).add(std::string_view("\0", 1));
    const std::int64_t rank = static_cast<std::int64_t>(spec.shape.size());
    digest.add(std::as_bytes(std::span(&rank, 1))).add(std::as_bytes(std::span(spec.shape)));
    if (t.dtype == "F32") {
      digest.add(t.data);
    } else {
      const std::vector<double> wide = t.as_double();
      const std::vector<float> values(wide.begin(), wide.end());
      digest.add(std::as_bytes(std::span(values)));
    }
  }
  return digest.hex();
}

}  // namespace likeness::model
