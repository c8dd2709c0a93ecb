#include "train/class_sums.h"

#include <algorithm>

#include "core/progress.h"

namespace likeness::train {
namespace {

// Embeddings held at once: 64 MB at 512 numbers each.
constexpr std::size_t kChunk = 32768;

}  // namespace

std::vector<float> class_sums(engine::Engine& network, const data::FaceSource& source, const ClassRange& range,
                              const std::vector<bool>& wanted, int threads, bool skip_bad) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const std::int64_t label = source.label(i);
    if (range.holds(label) && wanted[static_cast<std::size_t>(label - range.begin)]) rows.push_back(i);
  }
  const auto dimension = static_cast<std::size_t>(network.contract().dimension);
  std::vector<float> sums(static_cast<std::size_t>(range.count) * dimension);
  Progress progress("centres", rows.size(), "pictures");
  for (std::size_t first = 0; first < rows.size(); first += kChunk) {
    const std::vector<std::int64_t> chunk(
        rows.begin() + static_cast<std::ptrdiff_t>(first),
        rows.begin() + static_cast<std::ptrdiff_t>(std::min(first + kChunk, rows.size())));
    engine::EmbedOptions options;
    options.threads = threads;
    options.skip_bad = skip_bad;
    std::int64_t before = 0;
    options.progress = [&](std::int64_t done, std::int64_t) {
      progress.add(static_cast<std::uint64_t>(done - before));
      before = done;
    };
    const EmbeddingArchive archive = engine::embed(network, source, options, &chunk);
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      if (archive.failed[i]) continue;
      const float* e = archive.embeddings.data() + i * dimension;
      const float scale = 1 / std::max(archive.norms[i], 1e-12f);
      float* sum = sums.data() + static_cast<std::size_t>(source.label(chunk[i]) - range.begin) * dimension;
      for (std::size_t d = 0; d < dimension; ++d) sum[d] += scale * e[d];
    }
  }
  progress.finish();
  return sums;
}

}  // namespace likeness::train
