#include "train/class_sums.h"

#include <algorithm>

#include "train/embed_portions.h"

namespace likeness::train {
std::vector<float> class_sums(engine::Engine& network, const data::FaceSource& source, const ClassRange& range,
                              const std::vector<bool>& wanted, int threads, bool skip_bad) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const std::int64_t label = source.label(i);
    if (range.holds(label) && wanted[static_cast<std::size_t>(label - range.begin)]) rows.push_back(i);
  }
  const auto dimension = static_cast<std::size_t>(network.contract().dimension);
  std::vector<float> sums(static_cast<std::size_t>(range.count) * dimension);
  embed_in_portions(network, source, rows, {.threads = threads, .skip_bad = skip_bad, .progress = {}}, "centres",
                    [&](const EmbeddingArchive& archive, std::size_t i, std::int64_t row) {
                      if (archive.failed[i]) return;
                      const float* e = archive.embeddings.data() + i * dimension;
                      const float scale = 1 / std::max(archive.norms[i], 1e-12f);
                      float* sum = sums.data() + static_cast<std::size_t>(source.label(row) - range.begin) * dimension;
                      for (std::size_t d = 0; d < dimension; ++d) sum[d] += scale * e[d];
                    });
  return sums;
}

}  // namespace likeness::train
