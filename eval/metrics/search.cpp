#include "eval/metrics/search.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"

namespace likeness::eval {
namespace {

constexpr std::int64_t kTile =
    512;  // 512 x 512 f32 scores are 1 MiB: they stay in a core's cache until they are looked at
constexpr std::int64_t kBlock =
    2048;  // probes a thread carries through the gallery: each of its tiles is made ready once for them
constexpr std::size_t kStep = 32;  // scores that are waved through together
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kBelowAll = -2;  // below every cosine, also a rounded one

// Rows of one part, scored together; never across a size that is asked for.
struct Tile {
  const GalleryPart* part;
  std::int64_t first, count;  // in the part
  std::int64_t entry;         // of the first, counted through all parts
  std::int64_t size_index;    // >= 0: this tile completes the gallery of sizes[size_index]
};

// A tile made ready: unit vectors in f32 of its entries with a face.
struct ReadyTile {
  const Cosines* faces = nullptr;
  std::vector<float> units;
  std::vector<std::int64_t> rows, people, entries;
};

// What one probe has seen so far.
struct Probe {
  std::int64_t at = 0, row = 0, person = 0;  // `at`: of the list of probes
  double mate = kNan, best = kBelowAll;
  std::int64_t above = 0, last_above = kNobody;  // people at or above the mate; the last of them
  std::span<Candidate> best_list;                // a heap, the worst first
  std::size_t listed = 0;
  float floor = 0;  // f32 scores below cannot matter
};

bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.entry < b.entry;
}

class Search {
 public:
  Search(const Cosines& probes, std::span<const GalleryPart> gallery, const SearchOptions& options,
         SearchResult& result)
      : probes_(probes), gallery_(gallery), options_(options), result_(result), dimension_(probes.dimension()) {
    // |fl(x.y) - x.y| <= (D + 3) u |x||y| for unit vectors rounded to f32, u = 2^-24, whatever the order of summation
    // (Higham, Accuracy and Stability, 3.1).
    doubt_ = static_cast<double>(dimension_ + 4) * 0x1p-24;
    std::int64_t entry = 0;
    std::size_t size = 0;
    for (const GalleryPart& part : gallery_) {
      LIKENESS_ASSERT(part.faces->dimension() == dimension_ &&
                      (part.people.empty() || part.people.size() == part.rows.size()));
      for (std::int64_t first = 0; first < part.size();) {
        const std::int64_t count = std::min({kTile, part.size() - first, result.sizes[size] - entry});
        const bool completes = entry + count == result.sizes[size];
        tiles_.push_back({&part, first, count, entry, completes ? static_cast<std::int64_t>(size) : -1});
        for (std::int64_t i = first; !part.people.empty() && i < first + count; ++i)
          note_person(part.people[static_cast<std::size_t>(i)], part, i);
        first += count, entry += count, size += completes;
      }
    }
    LIKENESS_ASSERT(size == result.sizes.size());
    openblas_set_num_threads(1);  // each of our threads multiplies its own tile
  }

  void run(std::span<const std::int64_t> rows, std::span<const std::int64_t> people) {
    const auto all = static_cast<std::int64_t>(rows.size());
    const std::int64_t share = (all + resolve_threads(options_.threads) - 1) / resolve_threads(options_.threads);
    const std::int64_t block = std::clamp<std::int64_t>(share, 1, kBlock);
    parallel_for(rows.size(), static_cast<std::size_t>(block), options_.threads,
                 [&](std::size_t begin, std::size_t end) {
                   std::vector<Probe> team;
                   for (std::size_t p = begin; p < end; ++p)
                     if (!probes_.failed(rows[p]))
                       team.push_back(ready_probe(static_cast<std::int64_t>(p), rows[p], people[p]));
                   if (!team.empty()) carry_through(team);
                 });
  }

 private:
  struct Mates {
    const GalleryPart* part;
    std::int64_t first, count;
  };

  std::int64_t row_of(const GalleryPart& part, std::int64_t i) const {
    return part.rows.empty() ? i : part.rows[static_cast<std::size_t>(i)];
  }

  void note_person(std::int64_t person, const GalleryPart& part, std::int64_t i) {
    if (person == kNobody) return;
    const auto [it, fresh] = mates_.emplace(person, Mates{&part, i, 1});
    if (fresh) return;
    LIKENESS_ASSERT(it->second.part == &part &&
                    it->second.first + it->second.count == i);  // else a person would be counted twice
    ++it->second.count;
  }

  Probe ready_probe(std::int64_t at, std::int64_t row, std::int64_t person) const {
    Probe p;
    p.at = at, p.row = row, p.person = person;
    const auto k = static_cast<std::size_t>(options_.candidates);
    p.best_list = std::span(result_.candidates).subspan(static_cast<std::size_t>(at) * k, k);
    if (const auto found = mates_.find(person); found != mates_.end())
      for (std::int64_t i = found->second.first; i < found->second.first + found->second.count; ++i)
        p.mate = std::fmax(
            p.mate, probes_.score(row, *found->second.part->faces, row_of(*found->second.part, i)));  // NaN gives way
    result_.mate[static_cast<std::size_t>(at)] = p.mate;
    set_floor(p);
    return p;
  }

  void set_floor(Probe& p) const {
    double floor = p.best - doubt_;
    if (!std::isnan(p.mate)) floor = std::min(floor, p.mate - doubt_);
    if (!p.best_list.empty())
      floor = std::min(floor, p.listed < p.best_list.size() ? kBelowAll : p.best_list.front().score - doubt_);
    p.floor = std::nextafter(static_cast<float>(floor), -3.f);
  }

  void carry_through(std::vector<Probe>& team) const {
    const auto d = static_cast<std::size_t>(dimension_);
    std::vector<float> units(team.size() * d), scores(static_cast<std::size_t>(kTile * kTile));
    for (std::size_t p = 0; p < team.size(); ++p) to_unit(probes_, team[p].row, units.data() + p * d);
    ReadyTile ready;
    for (const Tile& tile : tiles_) {
      throw_if_stopped();
      make_ready(tile, ready);
      const std::size_t width = ready.rows.size();
      for (std::size_t first = 0; first < team.size() && width > 0; first += kTile) {
        const std::size_t height = std::min<std::size_t>(kTile, team.size() - first);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(height), static_cast<int>(width),
                    static_cast<int>(d), 1, units.data() + first * d, static_cast<int>(d), ready.units.data(),
                    static_cast<int>(d), 0, scores.data(), static_cast<int>(width));
        for (std::size_t p = 0; p < height; ++p) look_at(team[first + p], scores.data() + p * width, ready);
      }
      if (tile.size_index >= 0) note_size(team, static_cast<std::size_t>(tile.size_index));
      if (options_.progress) options_.progress(static_cast<std::uint64_t>(tile.count) * team.size());
    }
    for (Probe& p : team)
      std::sort(p.best_list.begin(), p.best_list.begin() + static_cast<std::ptrdiff_t>(p.listed), better);
  }

  void to_unit(const Cosines& faces, std::int64_t row, float* out) const {
    const float* x = faces.row(row);
    const double scale = 1 / faces.norm(row);
    for (std::int64_t k = 0; k < dimension_; ++k) out[k] = static_cast<float>(static_cast<double>(x[k]) * scale);
  }

  void make_ready(const Tile& tile, ReadyTile& ready) const {
    const GalleryPart& part = *tile.part;
    ready.rows.clear(), ready.people.clear(), ready.entries.clear();
    ready.units.resize(static_cast<std::size_t>(kTile * dimension_));
    for (std::int64_t i = 0; i < tile.count; ++i) {
      const std::int64_t row = row_of(part, tile.first + i);
      if (part.faces->failed(row)) continue;
      to_unit(*part.faces, row, ready.units.data() + ready.rows.size() * static_cast<std::size_t>(dimension_));
      ready.rows.push_back(row);
      ready.people.push_back(part.people.empty() ? kNobody : part.people[static_cast<std::size_t>(tile.first + i)]);
      ready.entries.push_back(tile.entry + i);
    }
    ready.faces = part.faces;
  }

  void look_at(Probe& p, const float* scores, const ReadyTile& tile) const {
    const std::size_t n = tile.rows.size();
    float floor = p.floor;
    for (std::size_t j = 0; j < n; j += kStep) {
      const std::size_t end = std::min(j + kStep, n);
      int any = 0;
      if (end - j == kStep)
        for (std::size_t l = 0; l < kStep; ++l) any |= scores[j + l] >= floor;
      else
        any = 1;
      if (any == 0) continue;
      for (std::size_t l = j; l < end; ++l)
        if (scores[l] >= p.floor) consider(p, static_cast<double>(scores[l]), l, tile);
      floor = p.floor;
    }
  }

  void consider(Probe& p, double rough, std::size_t l, const ReadyTile& tile) const {
    double exact_score = kNan;
    const auto exact = [&] {
      if (std::isnan(exact_score)) exact_score = probes_.score(p.row, *tile.faces, tile.rows[l]);
      return exact_score;
    };
    const std::int64_t person = tile.people[l];
    bool changed = false;
    if (person == kNobody || person != p.person) {
      if (!std::isnan(p.mate) && (person == kNobody || person != p.last_above) && rough >= p.mate - doubt_ &&
          (rough > p.mate + doubt_ || exact() >= p.mate)) {
        ++p.above;
        p.last_above = person;
      }
      if (rough >= p.best - doubt_ && exact() > p.best) p.best = exact(), changed = true;
    }
    if (p.best_list.empty()) return changed ? set_floor(p) : void();
    const Candidate candidate{
        tile.entries[l],
        p.listed < p.best_list.size() || rough >= p.best_list.front().score - doubt_ ? exact() : kBelowAll};
    if (p.listed < p.best_list.size()) {
      p.best_list[p.listed++] = candidate;
      std::push_heap(p.best_list.begin(), p.best_list.begin() + static_cast<std::ptrdiff_t>(p.listed), better);
      changed = true;
    } else if (better(candidate, p.best_list.front())) {
      std::pop_heap(p.best_list.begin(), p.best_list.end(), better);
      p.best_list.back() = candidate;
      std::push_heap(p.best_list.begin(), p.best_list.end(), better);
      changed = true;
    }
    if (changed) set_floor(p);
  }

  void note_size(const std::vector<Probe>& team, std::size_t size) const {
    const std::size_t all = result_.mate.size();
    for (const Probe& p : team) {
      const std::size_t at = size * all + static_cast<std::size_t>(p.at);
      result_.rank[at] = std::isnan(p.mate) ? 0 : 1 + p.above;
      result_.best_other[at] = p.best == kBelowAll ? kNan : p.best;
    }
  }

  const Cosines& probes_;
  std::span<const GalleryPart> gallery_;
  const SearchOptions& options_;
  SearchResult& result_;
  std::int64_t dimension_;
  double doubt_ = 0;
  std::vector<Tile> tiles_;
  std::unordered_map<std::int64_t, Mates> mates_;
};

}  // namespace

SearchResult search(const Cosines& probes, std::span<const std::int64_t> probe_rows,
                    std::span<const std::int64_t> probe_people, std::span<const GalleryPart> gallery,
                    const SearchOptions& options) {
  LIKENESS_ASSERT(probe_rows.size() == probe_people.size() && options.candidates >= 0);
  std::int64_t entries = 0;
  for (const GalleryPart& part : gallery) entries += part.size();
  SearchResult result;
  result.sizes = options.sizes.empty() ? std::vector<std::int64_t>{entries} : options.sizes;
  LIKENESS_ASSERT(entries > 0 && result.sizes.back() == entries && result.sizes.front() > 0);
  LIKENESS_ASSERT(std::adjacent_find(result.sizes.begin(), result.sizes.end(), std::greater_equal<>()) ==
                  result.sizes.end());
  const std::size_t n = probe_rows.size();
  result.mate.assign(n, kNan);
  result.rank.assign(result.sizes.size() * n, 0);
  result.best_other.assign(result.sizes.size() * n, kNan);
  result.candidates.assign(n * static_cast<std::size_t>(options.candidates), {});
  Search(probes, gallery, options, result).run(probe_rows, probe_people);
  return result;
}

}  // namespace likeness::eval
