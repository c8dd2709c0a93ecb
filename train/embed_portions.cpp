#include "train/embed_portions.h"

#include <algorithm>
#include <utility>

#include "core/progress.h"

namespace likeness::train {
namespace {

constexpr std::size_t kPortion = 32768;  // 64 MB at 512 numbers each

}  // namespace

void embed_in_portions(
    engine::Engine& network, const data::FaceSource& source, const std::vector<std::int64_t>& rows,
    engine::EmbedOptions options, const std::string& verb,
    const std::function<void(const EmbeddingArchive& archive, std::size_t i, std::int64_t row)>& visit) {
  Progress progress(verb, rows.size(), "pictures");
  for (std::size_t first = 0; first < rows.size(); first += kPortion) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<std::int64_t> portion(
        begin, begin + static_cast<std::ptrdiff_t>(std::min(kPortion, rows.size() - first)));
    std::int64_t before = 0;
    options.progress = [&](std::int64_t done, std::int64_t) {
      progress.add(static_cast<std::uint64_t>(done - std::exchange(before, done)));
    };
    const EmbeddingArchive archive = engine::embed(network, source, options, &portion);
    for (std::size_t i = 0; i < portion.size(); ++i) visit(archive, i, portion[i]);
  }
  progress.finish();
}

}  // namespace likeness::train
