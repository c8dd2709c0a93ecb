#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <numeric>
#include <thread>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"
#include "data/crop.h"
#include "engine/engine.h"

namespace likeness::engine {
namespace {

// The geometry in which to read the pictures (see embed), or kData naming both.
FaceGeometry reading_geometry(const ModelContract& contract, const data::FaceSource& source,
                              const std::vector<std::int64_t>& rows, bool assume_aligned) {
  const FaceGeometry stored = source.geometry();
  const FaceGeometry& wanted = contract.geometry;
  const bool same_size = stored.width == wanted.width && stored.height == wanted.height;
  if (stored.same_as(wanted)) return wanted;  // also when neither knows its points
  if (wanted.points) {
    const bool landmarks =
        std::any_of(rows.begin(), rows.end(), [&](std::int64_t i) { return source.landmarks(i).has_value(); });
    if (stored.points || landmarks) return wanted;
  }
  if (assume_aligned && same_size && !stored.points) return stored;
  const char* hint = wanted.points ? "import the pictures with --points or --landmarks, so that they can be warped"
                                   : "the model does not know where its faces stand, so nothing can be warped to it";
  fail_data({"these pictures are of another geometry than the model's", source.path().string(), wanted.describe(),
             stored.describe(), hint});
}

// Decoded pictures of rows [first, first+n) of the list.
struct Decoded {
  std::size_t first = 0;
  std::vector<std::uint8_t> pixels;      // [n,H,W,3]
  std::vector<std::uint8_t> unreadable;  // [n]
};

class Decoder {
 public:
  Decoder(const data::FaceSource& source, const FaceGeometry& geometry, const std::vector<std::int64_t>& rows,
          int threads, bool skip_bad)
      : rows_(rows),
        skip_bad_(skip_bad),
        picture_(3ull * static_cast<std::size_t>(geometry.width) * static_cast<std::size_t>(geometry.height)) {
    for (int t = 0; t < threads; ++t) readers_.push_back(std::make_unique<data::CropReader>(source, geometry));
  }

  // Runs on a thread of its own while the engine is busy with the batch before.
  std::future<Decoded> start(std::size_t first, std::size_t n) {
    return std::async(std::launch::async, [this, first, n] {
      Decoded batch{first, std::vector<std::uint8_t>(n * picture_), std::vector<std::uint8_t>(n)};
      std::atomic<std::size_t> next{0};
      std::vector<std::future<void>> workers;
      for (auto& reader : readers_)
        workers.push_back(std::async(std::launch::async, [&] {
          for (std::size_t i = next++; i < n; i = next++) read(*reader, batch, i);
        }));
      for (auto& worker : workers) worker.wait();
      for (auto& worker : workers) worker.get();  // the first error, once nobody uses `batch` any more
      return batch;
    });
  }

 private:
  void read(data::CropReader& reader, Decoded& batch, std::size_t i) const {
    try {
      reader.read(rows_[batch.first + i], batch.pixels.data() + i * picture_);
    } catch (const Error& e) {
      if (!skip_bad_ || e.kind() != ErrorKind::kData) throw;
      batch.unreadable[i] = 1;
    }
  }

  const std::vector<std::int64_t>& rows_;
  bool skip_bad_;
  std::size_t picture_;
  std::vector<std::unique_ptr<data::CropReader>> readers_;
};

double length(const float* v, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += double{v[i]} * v[i];
  return std::sqrt(sum);
}

// Moves the readable pictures to the front; their places in the batch.
std::vector<std::size_t> keep_readable(Decoded& batch) {
  const std::size_t n = batch.unreadable.size(), picture = batch.pixels.size() / std::max<std::size_t>(n, 1);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < n; ++i) {
    if (batch.unreadable[i]) continue;
    if (kept.size() != i)
      std::copy_n(batch.pixels.begin() + static_cast<std::ptrdiff_t>(i * picture), picture,
                  batch.pixels.begin() + static_cast<std::ptrdiff_t>(kept.size() * picture));
    kept.push_back(i);
  }
  return kept;
}

// Embeds one decoded batch into its rows of the archive.
void embed_batch(Engine& engine, Decoded& batch, bool sum, EmbeddingArchive& archive) {
  const std::size_t d = static_cast<std::size_t>(archive.dimension);
  for (std::size_t i = 0; i < batch.unreadable.size(); ++i) archive.failed[batch.first + i] = batch.unreadable[i];
  const std::vector<std::size_t> kept = keep_readable(batch);
  if (kept.empty()) return;
  const std::int64_t n = static_cast<std::int64_t>(kept.size());
  const std::vector<float> plain = engine.run(to_input(batch.pixels.data(), n, engine.contract(), false), n);
  std::vector<float> mirrored;
  if (sum) mirrored = engine.run(to_input(batch.pixels.data(), n, engine.contract(), true), n);
  for (std::size_t k = 0; k < kept.size(); ++k) {
    const std::size_t row = batch.first + kept[k];
    float* out = archive.embeddings.data() + row * d;
    std::copy_n(plain.data() + k * d, d, out);
    double norm = length(out, d);
    if (sum) {
      norm = (norm + length(mirrored.data() + k * d, d)) / 2;
      for (std::size_t j = 0; j < d; ++j) out[j] += mirrored[k * d + j];
    }
    if (!std::all_of(out, out + d, [](float v) { return std::isfinite(v); }))
      fail_data({"embedding is not finite", archive.keys[row], "finite numbers", "NaN or infinity",
                 "the network or its preprocessing is broken: engine " + engine.name()});
    archive.norms[row] = static_cast<float>(norm);
  }
}

}  // namespace

EmbeddingArchive blank_archive(const Engine& engine, const data::FaceSource& source, const std::string& flip,
                               const std::vector<std::int64_t>& rows) {
  EmbeddingArchive archive;
  archive.contract = engine.contract();
  archive.contract.flip = flip;
  archive.dimension = archive.contract.dimension;
  archive.data_digest = source.digest();
  archive.embeddings.assign(rows.size() * static_cast<std::size_t>(archive.dimension), 0.0f);
  archive.norms.assign(rows.size(), 0.0f);
  archive.failed.assign(rows.size(), 0);
  for (std::int64_t label = 0; label < source.identities(); ++label)
    archive.subject_names.push_back(source.identity_name(label));
  for (std::int64_t i : rows) {
    archive.keys.push_back(source.key(i));
    archive.subjects.push_back(source.label(i));
  }
  for (AttributeColumn column : source.attributes().columns) {
    std::vector<std::uint64_t> codes;
    for (std::int64_t i : rows) codes.push_back(column.codes.at(static_cast<std::size_t>(i)));
    column.codes = std::move(codes);
    archive.attributes.columns.push_back(std::move(column));
  }
  return archive;
}

EmbeddingArchive embed(Engine& engine, const data::FaceSource& source, const EmbedOptions& options,
                       const std::vector<std::int64_t>* only_rows) {
  if (options.flip != "none" && options.flip != "sum")
    fail_usage({"unknown flip", "--flip", "none or sum", options.flip, ""});
  if (options.batch < 1) fail_usage({"batch out of range", "batch", "at least 1", std::to_string(options.batch), ""});
  std::vector<std::int64_t> rows(static_cast<std::size_t>(source.size()));
  std::iota(rows.begin(), rows.end(), 0);
  if (only_rows != nullptr) rows = *only_rows;
  for (std::int64_t i : rows)
    if (i < 0 || i >= source.size())
      fail_data({"picture is not in the set", source.path().string(), fmt::format("0 to {}", source.size() - 1),
                 std::to_string(i), ""});
  if (rows.empty()) fail_data({"no pictures to embed", source.path().string(), "at least one", "none", ""});

  // A core decodes ten thousand pictures a second and runs a hundred through the smallest network: a few decoders are
  // plenty.
  const int decoders = std::clamp(resolve_threads(options.threads) / 4, 1, 8);
  const FaceGeometry geometry = reading_geometry(engine.contract(), source, rows, options.assume_aligned);
  Decoder decoder(source, geometry, rows, decoders, options.skip_bad);
  EmbeddingArchive archive = blank_archive(engine, source, options.flip, rows);

  const std::size_t batch = static_cast<std::size_t>(options.batch);
  std::future<Decoded> ahead = decoder.start(0, std::min(batch, rows.size()));
  for (std::size_t first = 0; first < rows.size(); first += batch) {
    Decoded current = ahead.get();
    const std::size_t next = first + batch;
    if (next < rows.size()) ahead = decoder.start(next, std::min(batch, rows.size() - next));
    throw_if_stopped();
    embed_batch(engine, current, options.flip == "sum", archive);
    if (options.progress)
      options.progress(static_cast<std::int64_t>(std::min(next, rows.size())), static_cast<std::int64_t>(rows.size()));
  }
  return archive;
}

}  // namespace likeness::engine
