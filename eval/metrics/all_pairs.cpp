// All pairs of a set by tiles: f32 matrix products say in which bin a score lies, and where they cannot, one exact score does.
#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"
#include "eval/metrics/tally.h"

namespace likeness::eval {
namespace {

constexpr std::int64_t kTile = 512;  // 512 x 512 f32 scores are 1 MiB: they stay in a core's cache until they are counted

// Rows of one set, compared with themselves.
class AllPairs {
 public:
  AllPairs(const Cosines& cosines, std::span<const std::int64_t> subjects, const Grouping& grouping, int threads)
      : cosines_(cosines), subjects_(subjects), grouping_(grouping), threads_(threads), dimension_(cosines.dimension()) {
    for (std::int64_t i = 0; i < cosines.size(); ++i) (cosines.failed(i) ? failed_ : rows_).push_back(i);
    units_.resize(rows_.size() * static_cast<std::size_t>(dimension_));
    for (std::size_t r = 0; r < rows_.size(); ++r)
      for (std::int64_t k = 0; k < dimension_; ++k)
        units_[r * static_cast<std::size_t>(dimension_) + static_cast<std::size_t>(k)] =
            static_cast<float>(static_cast<double>(cosines.row(rows_[r])[k]) / cosines.norm(rows_[r]));
    const std::int64_t side = (static_cast<std::int64_t>(rows_.size()) + kTile - 1) / kTile;
    for (std::int64_t i = 0; i < side; ++i)
      for (std::int64_t j = i; j < side; ++j) tiles_.push_back({i * kTile, j * kTile});
    // |fl(x.y) - x.y| <= (D + 3) u |x||y| for unit vectors rounded to f32, u = 2^-24, whatever the order of summation
    // (Higham, Accuracy and Stability, 3.1); in units of a bin.
    doubt_ = static_cast<double>(dimension_ + 4) * 0x1p-24 * (kScoreBins / 2);
    // Each of our threads multiplies its own tile; a pool inside the BLAS would only get in the way.
    openblas_set_num_threads(1);
  }

  // Histograms of exact scores, and the first two moments (of f32 scores, summed tile by tile in a fixed order).
  Tally count() const {
    Tally all(grouping_.cells(), false);
    std::vector<Moments> moments[2];
    for (auto& m : moments) m.resize(tiles_.size());
    std::mutex mutex;
    over_tiles([&](std::size_t tile, auto&& each_pair) {
      Tally mine(grouping_.cells(), false);
      Moments sums[2];
      each_pair([&](std::int64_t i, std::int64_t j, float s, int bin) {
        const bool genuine = same(i, j);
        CellCounts& cell = mine.cell(grouping_.group(i), grouping_.group(j), genuine);
        if (cell.bins.empty()) cell.bins.resize(kScoreBins);
        ++cell.bins[static_cast<std::size_t>(bin)];
        sums[genuine].add(static_cast<double>(s));
      });
      moments[0][tile] = sums[0], moments[1][tile] = sums[1];
      const std::lock_guard lock(mutex);
      all.add(mine);
    });
    for (int genuine : {0, 1})
      for (const Moments& m : moments[genuine]) all.moments_[genuine].add(m);
    count_failed(all);
    return all;
  }

  // Adds the exact scores of the marked bins.
  void keep(Tally& tally, const std::vector<std::uint8_t>& bins) const {
    std::mutex mutex;
    over_tiles([&](std::size_t, auto&& each_pair) {
      std::vector<KeptScore> mine;
      each_pair([&](std::int64_t i, std::int64_t j, float, int bin) {
        if (!bins[static_cast<std::size_t>(bin)]) return;
        mine.push_back({cosines_.score(i, j), grouping_.group(i), grouping_.group(j), same(i, j)});
      });
      const std::lock_guard lock(mutex);
      tally.kept.insert(tally.kept.end(), mine.begin(), mine.end());
    });
    tally.is_kept = bins;
    std::sort(tally.kept.begin(), tally.kept.end(), [](const KeptScore& x, const KeptScore& y) { return x.score > y.score; });
  }

 private:
  struct Tile {
    std::int64_t row, column;
  };

  bool same(std::int64_t i, std::int64_t j) const {
    return subjects_[static_cast<std::size_t>(i)] == subjects_[static_cast<std::size_t>(j)];
  }

  // body(tile, each_pair), in parallel; each_pair(f) calls f(i, j, f32 score, bin of the exact score) for the tile's pairs.
  template <class Body> void over_tiles(const Body& body) const {
    parallel_for(tiles_.size(), 1, threads_, [&](std::size_t begin, std::size_t end) {
      std::vector<float> scores(static_cast<std::size_t>(kTile * kTile));
      for (std::size_t t = begin; t < end; ++t) {
        throw_if_stopped();
        const auto all = static_cast<std::int64_t>(rows_.size());
        const std::int64_t row = tiles_[t].row, column = tiles_[t].column;
        const std::int64_t height = std::min(kTile, all - row), width = std::min(kTile, all - column);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(height), static_cast<int>(width),
                    static_cast<int>(dimension_), 1, units_.data() + row * dimension_, static_cast<int>(dimension_),
                    units_.data() + column * dimension_, static_cast<int>(dimension_), 0, scores.data(), static_cast<int>(width));
        body(t, [&](const auto& f) {
          for (std::int64_t i = 0; i < height; ++i)
            for (std::int64_t j = row == column ? i + 1 : 0; j < width; ++j) {
              const float s = scores[static_cast<std::size_t>(i * width + j)];
              const std::int64_t a = rows_[static_cast<std::size_t>(row + i)], b = rows_[static_cast<std::size_t>(column + j)];
              const double place = (static_cast<double>(s) + 1) * (kScoreBins / 2);
              int bin = static_cast<int>(place);
              const double inside = place - bin;
              if (inside < doubt_ || inside > 1 - doubt_ || bin < 0 || bin >= kScoreBins) bin = score_bin(cosines_.score(a, b));
              f(a, b, s, bin);
            }
        });
      }
    });
  }

  // Pairs with a failed picture are counted without being scored.
  void count_failed(Tally& tally) const {
    std::vector<std::uint8_t> done(static_cast<std::size_t>(cosines_.size()), 0);
    for (std::int64_t i : failed_) {
      done[static_cast<std::size_t>(i)] = 1;
      for (std::int64_t j = 0; j < cosines_.size(); ++j)
        if (!done[static_cast<std::size_t>(j)]) ++tally.cell(grouping_.group(i), grouping_.group(j), same(i, j)).failed;
    }
  }

  const Cosines& cosines_;
  std::span<const std::int64_t> subjects_;
  const Grouping& grouping_;
  int threads_;
  std::int64_t dimension_;
  std::vector<std::int64_t> rows_, failed_;
  std::vector<float> units_;  // [rows_, D] f32
  std::vector<Tile> tiles_;
  double doubt_ = 0;
};

}  // namespace

Tally tally_all_pairs(const Cosines& cosines, std::span<const std::int64_t> subjects, const Grouping& grouping,
                      const Decisions& decisions, int threads, std::int64_t keep_all_below) {
  LIKENESS_ASSERT(static_cast<std::int64_t>(subjects.size()) == cosines.size());
  const AllPairs pairs(cosines, subjects, grouping, threads);
  Tally tally = pairs.count();
  const bool keep_all = cosines.size() * (cosines.size() - 1) / 2 <= keep_all_below;
  const std::vector<std::uint8_t> bins = keep_all ? std::vector<std::uint8_t>(kScoreBins, 1) : decision_bins(tally, decisions);
  pairs.keep(tally, bins);
  return tally;
}

}  // namespace likeness::eval
